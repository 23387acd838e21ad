//! A SQLite database as the source of a backup: copied page for page into staging, looked at there, then stored.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::take::{Contents, Making};
use crate::archive::fingerprint::{ALGORITHM, RowEncoder, RowHasher};
use crate::archive::manifest::{Fingerprint, Source, SourceKind, Table};
use crate::config::FingerprintLevel;
use crate::database::sqlite::{self, SqliteCopy, SqliteError, Value as Cell};
use crate::run::{Failure, Progress};

/// What is read from the staged copy at once.
const READ: usize = 256 * 1024;

/// What a dry run can tell.
pub(super) async fn plan(path: &Path) -> Result<Value, Failure> {
    let found = sqlite::probe(path).await?;
    Ok(
        json!({"source": format!("SQLite {}, {} bytes, journal mode {}", path.display(), found.bytes, found.journal_mode)}),
    )
}

/// Copies the database into staging, checks it, and stores the copy.
pub(super) async fn copy(making: &mut Making<'_>, path: &Path) -> Result<Contents, Failure> {
    let context = making.context;
    let staged = context.staging.join("copy.db");
    context.progress.phase("copy");
    let beats = Arc::clone(&context.progress);
    let report = sqlite::backup(path, &staged, move |_, _| beats.beat(), &context.cancel).await?;
    let mut warnings = report.notes;
    context.progress.expect(report.pages.saturating_mul(u64::from(report.page_size)));

    // Reading the copy for the fingerprint, checking it and storing it go on side by side.
    let level = making.wish.settings.fingerprint;
    let (check, cancel) = (making.wish.settings.check, context.cancel.clone());
    let (progress, copy_path) = (Arc::clone(&context.progress), staged.clone());
    let looked = {
        let cancel = cancel.clone();
        tokio::task::spawn_blocking(move || fingerprint(&copy_path, level, &cancel, &progress))
    };
    let checked = tokio::spawn({
        let (staged, progress) = (staged.clone(), Arc::clone(&context.progress));
        async move {
            // A check that takes long is no stall.
            progress.beat_during(sqlite::check(&staged, check, &cancel)).await
        }
    });
    context.progress.phase("store");
    // Open before anybody can remove it.
    let source = tokio::fs::OpenOptions::new().read(true).write(true).open(&staged).await;
    let source = source.map_err(|error| Failure::new(format!("cannot read {}: {error}", staged.display())))?;
    let source = Arc::new(source.into_std().await);
    let held = Arc::clone(&source);
    let confirm = async {
        let tables = looked.await.map_err(|panic| Failure::new(format!("a bug: {panic}")))?;
        let report = checked.await.map_err(|panic| Failure::new(format!("a bug: {panic}")))?;
        // Looked at; whoever still reads it keeps it.
        let removal = tokio::task::spawn_blocking(move || {
            let removed = std::fs::remove_file(staged);
            tokio::task::spawn_blocking(move || let_go(held));
            removed
        });
        Ok::<_, Failure>((tables, report?, removal))
    };
    let found = std::sync::Mutex::new(None);
    let keep = async {
        *found.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(confirm.await?);
        Ok(())
    };
    let (object, ()) = making.stream("data.db", move |push| push_file(source, push), keep).await?;
    let found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (tables, checked, removal) = found.ok_or_else(|| Failure::new("a bug: the copy was not looked at"))?;
    if let Ok(Err(error)) = removal.await {
        tracing::debug!(%error, "the staged copy is removed with its folder");
    }

    let (orphans, damage): (Vec<_>, Vec<_>) =
        checked.findings.into_iter().partition(|finding| finding.check == "foreign_key_check");
    warnings.extend(orphans.iter().take(20).map(|finding| format!("{}: {}", finding.check, finding.text)));
    if checked.total > 20 {
        warnings.push(format!("{} findings of the checks in all", checked.total));
    }
    let (tables, not_fingerprinted) = match tables {
        Ok(tables) => (tables, None),
        // Damage shows here too; the copy is stored all the same, and the check has told of it.
        Err(error) => (Vec::new(), Some(crate::fault::chain(&error))),
    };
    if let Some(reason) = &not_fingerprinted {
        warnings.push(format!("not fingerprinted: {reason}"));
    }
    let hashed = level == FingerprintLevel::Hash;
    Ok(Contents {
        kind: SourceKind::Sqlite,
        snapshot_at: report.snapshot_at,
        source: Source {
            version: sqlite::version().to_owned(),
            name: path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            settings: std::collections::BTreeMap::new(),
        },
        pg_dump: None,
        objects: vec![object],
        fingerprint: Fingerprint {
            level: level.as_str().to_owned(),
            algorithm: hashed.then(|| ALGORITHM.to_owned()),
            not_fingerprinted,
        },
        tables,
        large_objects: Vec::new(),
        warnings,
        damage: damage.into_iter().map(|finding| format!("{}: {}", finding.check, finding.text)).collect(),
    })
}

fn push_file(mut file: Arc<File>, push: &mut dyn FnMut(&[u8]) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut buffer = vec![0; READ];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            tokio::task::spawn_blocking(move || let_go(file));
            return Ok(());
        }
        push(&buffer[..length])?;
    }
}

/// Closes the copy; the last of its two holders, which has it to itself, empties it first. That takes a while with
/// hundreds of megabytes, in which the last bytes can go their way. Left to `close`, it would take as long, and whoever
/// removes the folder meanwhile would wait for it, spinning in the kernel.
fn let_go(copy: Arc<File>) {
    if let Some(copy) = Arc::into_inner(copy)
        && let Err(error) = copy.set_len(0)
    {
        tracing::debug!(%error, "the staged copy is emptied by closing it");
    }
}

/// Rows, and hashes if asked for, of every table of a copy. Blocking.
pub fn fingerprint(
    copy: &Path,
    level: FingerprintLevel,
    cancel: &CancellationToken,
    progress: &Progress,
) -> Result<Vec<Table>, SqliteError> {
    let copy = SqliteCopy::open(copy, cancel)?;
    let mut tables = Vec::new();
    for name in copy.tables()? {
        let (rows, hash) = match level {
            FingerprintLevel::None => (None, None),
            FingerprintLevel::Counts => (Some(copy.count_rows(&name)?), None),
            FingerprintLevel::Hash => hash_rows(&copy, &name, progress)?,
        };
        progress.beat();
        tables.push(Table { schema: "main".to_owned(), name, columns: None, rows, hash, not_comparable: None });
    }
    Ok(tables)
}

fn hash_rows(
    copy: &SqliteCopy,
    table: &str,
    progress: &Progress,
) -> Result<(Option<u64>, Option<String>), SqliteError> {
    let (mut encoder, mut hasher) = (RowEncoder::new(), RowHasher::new(FingerprintLevel::Hash));
    let mut since_beat = 0_u32;
    copy.for_each_row(table, |row| {
        for cell in row.values() {
            match cell {
                Cell::Null => encoder.null(),
                Cell::Integer(value) => encoder.integer(value),
                Cell::Real(value) => encoder.real(value),
                Cell::Text(value) => encoder.text(value),
                Cell::Blob(value) => encoder.blob(value),
            }
        }
        hasher.push_row(encoder.end_row());
        since_beat += 1;
        if since_beat == 100_000 {
            since_beat = 0;
            progress.beat();
        }
    })?;
    let (rows, hash) = hasher.finish();
    Ok((Some(rows), hash))
}
