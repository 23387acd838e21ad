//! The volumes that Caretaker itself needs: those of the state directory, of local stores, and of a SQLite database.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::{DatabaseKind, StoreKind};
use crate::health::{OwnView, Unseen};

/// A file system, with what is kept there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Volume {
    /// `state directory /var/lib/caretaker, store local /var/backups`.
    pub what: String,
    /// The first of these paths: what its samples are kept under.
    pub path: PathBuf,
    /// What an ordinary process can still write.
    pub free: f64,
    /// All of it, without what is kept back for root, as `df` counts.
    pub size: f64,
}

/// The volumes, each once. What is not there is looked for upwards.
pub(super) async fn of(view: &OwnView<'_>) -> Result<Vec<Volume>, Unseen> {
    let mut wanted = vec![("state directory".to_owned(), view.config.daemon.state_dir.clone())];
    if let DatabaseKind::Sqlite(target) = &view.database.kind {
        wanted.push(("database".to_owned(), target.path.clone()));
    }
    for store in view.config.stores.values() {
        if let StoreKind::Local(local) = &store.kind {
            wanted.push((format!("store {}", store.name), local.path.clone()));
        }
    }
    wanted.retain(|(_, path)| !view.exclude.leaves_out(&path.to_string_lossy()));
    // A network file system may take its time.
    let looked = tokio::task::spawn_blocking(move || look(&wanted)).await;
    looked.map_err(|panic| Unseen::unknown(panic.to_string()))?
}

fn look(wanted: &[(String, PathBuf)]) -> Result<Vec<Volume>, Unseen> {
    let mut volumes: Vec<(u64, Volume)> = Vec::new();
    for (what, path) in wanted {
        let failed = |error: std::io::Error| Unseen::unknown(format!("{what} {}: {error}", path.display()));
        let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        let device = std::fs::metadata(there).map_err(failed)?.dev();
        let text = format!("{what} {}", path.display());
        if let Some((_, known)) = volumes.iter_mut().find(|(known, _)| *known == device) {
            known.what = format!("{}, {text}", known.what);
            continue;
        }
        let stat = rustix::fs::statvfs(there).map_err(|error| failed(error.into()))?;
        #[allow(clippy::cast_precision_loss, reason = "bytes of a disk are below 2^53")]
        let bytes = |blocks: u64| blocks as f64 * stat.f_frsize as f64;
        let free = bytes(stat.f_bavail);
        let size = bytes(stat.f_blocks.saturating_sub(stat.f_bfree)) + free;
        volumes.push((device, Volume { what: text, path: path.clone(), free, size }));
    }
    Ok(volumes.into_iter().map(|(_, volume)| volume).collect())
}
