//! Deep checks of a SQLite database look at the newest backup's copy: a long reader of the live file would let its
//! write-ahead log grow. Where no copy lies at hand (in a local store, not encrypted, with room to unpack it), they look
//! at the file itself, and say so.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use tempfile::NamedTempFile;
use tokio_util::io::SyncIoBridge;
use tokio_util::sync::CancellationToken;

use super::backup_age::is_good;
use super::sqlite::unseen;
use crate::archive::codec::{Decoder, Identities, ObjectName};
use crate::archive::manifest::Manifest;
use crate::config::{Store, StoreKind, StoreName};
use crate::database::sqlite::{Kind, check_copy, check_live};
use crate::health::view::known;
use crate::health::{Seen, SqliteView, Verdict};
use crate::state::BackupFilter;
use crate::store::{self, ObjectKey};

/// What a check says.
pub(super) struct Words {
    pub none: &'static str,
    pub some: &'static str,
    pub advice: &'static str,
}

/// Examines the copy, or the file.
pub(super) async fn examine(view: &mut SqliteView<'_>, kind: Kind, words: &'static Words) -> Seen {
    view.asks(&[kind.statement()]);
    let cancel = CancellationToken::new();
    let (report, at) = match unpack(view, &cancel).await {
        Ok((copy, id)) => {
            let report = check_copy(copy.path(), kind, &cancel).await;
            (report, format!("looked at the copy in backup {id}"))
        }
        Err(why) => (check_live(view.path, kind, &cancel).await, format!("looked at the file itself: {why}")),
    };
    let report = report.map_err(|error| unseen(&error))?;
    let findings = || report.findings.iter().map(|finding| finding.text.clone());
    #[allow(clippy::cast_precision_loss, reason = "a count of findings")]
    let total = report.total as f64;
    let summary = match findings().next() {
        Some(first) => format!("{} {}, the first: {first}", report.total, words.some),
        None => words.none.to_owned(),
    };
    Ok(Verdict::new(view.own.limits.judge(total), summary)
        .figure(total)
        .evidence([at])
        .evidence(findings().take(20))
        .advice(words.advice))
}

/// How the unpacked copies are called, in the state directory.
const PREFIX: &str = "health-copy.";

/// No check takes as long: what is older was left by a process that was killed.
const ABANDONED: Duration = Duration::from_secs(6 * 3600);

fn forget_leftovers(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
        if is_ours && age.is_some_and(|age| age > ABANDONED) {
            // The next deep check tries again.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The newest good backup, unpacked into a temporary file beside the state; or why not.
async fn unpack(view: &SqliteView<'_>, cancel: &CancellationToken) -> Result<(NamedTempFile, String), String> {
    let database = view.own.database.name.as_str();
    let backups = known(view.own.state.backups(BackupFilter::Database(database)).await);
    let backups = backups.map_err(|_| "the catalogue cannot be read".to_owned())?;
    let backup = backups.iter().find(|backup| is_good(backup)).ok_or("there is no backup")?;
    let local = |name: &str| -> Option<&Store> {
        let store = view.own.config.stores.get(&name.parse::<StoreName>().ok()?)?;
        matches!(store.kind, StoreKind::Local(_)).then_some(store)
    };
    let store = backup.complete_in().find_map(local).ok_or("the newest backup is in no local store")?;
    let manifest: Manifest = serde_json::from_str(backup.manifest.as_deref().unwrap_or_default())
        .map_err(|error| format!("the newest backup's manifest cannot be read: {error}"))?;
    let object = manifest.objects.into_iter().find(|object| object.name.starts_with("data."));
    let object = object.ok_or("the newest backup has no data")?;
    if ObjectName::parse(&object.name).encrypted {
        return Err("the newest backup is encrypted".to_owned());
    }
    let store = store::open(store).await.map_err(|error| error.to_string())?;
    let key = ObjectKey::new(&[database, &backup.id, &object.name]);
    let reader = store::read_whole(&store, &key, object.bytes).await.map_err(|error| error.to_string())?;
    let (folder, runtime) = (view.own.state.dir().to_owned(), tokio::runtime::Handle::current());
    let cancel = cancel.child_token();
    let _ends_with_us = cancel.clone().drop_guard();
    let work = tokio::task::spawn_blocking(move || {
        let failed = |error: io::Error| format!("the newest backup cannot be unpacked: {error}");
        // Room for the copy, and as much again for what else needs it.
        let stat = rustix::fs::statvfs(&folder).map_err(|error| failed(error.into()))?;
        if stat.f_bavail.saturating_mul(stat.f_frsize) / 2 < object.plain_bytes {
            return Err("there is no room to unpack the newest backup".to_owned());
        }
        forget_leftovers(&folder);
        let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder).map_err(failed)?;
        let inner = SyncIoBridge::new_with_handle(reader, runtime);
        let mut decoder = Decoder::new(ObjectName::parse(&object.name), &Identities::none(), inner)
            .map_err(|error| format!("the newest backup cannot be unpacked: {error}"))?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            if cancel.is_cancelled() {
                return Err("cancelled".to_owned());
            }
            match decoder.read(&mut buffer).map_err(failed)? {
                0 => break,
                length => file.write_all(&buffer[..length]).map_err(failed)?,
            }
        }
        let decoded = decoder.finish().map_err(|error| format!("the newest backup is damaged: {error}"))?;
        if decoded.plain_sha256 != object.plain_sha256 {
            return Err("the newest backup is damaged: its bytes are not those of its manifest".to_owned());
        }
        Ok(file)
    });
    let file = work.await.map_err(|panic| panic.to_string())??;
    Ok((file, backup.id.clone()))
}
