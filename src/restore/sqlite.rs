//! A SQLite backup restored into a new file.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use tempfile::NamedTempFile;

use super::compare::{Comparison, compare, depth};
use super::source::BackupSource;
use super::{RestoreContext, RestorePlan, Restored, Trouble};
use crate::archive::manifest::Object;
use crate::backup;
use crate::config::SqliteCheck;
use crate::database::sqlite;
use crate::privacy::replay::{Copy, Replay};
use crate::privacy::session::Place;
use crate::run::Failure;

pub(super) fn plan(source: &BackupSource, path: &Path) -> Result<RestorePlan, Failure> {
    let data = source.data()?;
    let mut occupied = Vec::new();
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() && found.len() == 0 => {}
        Ok(found) => occupied.push(format!("{} exists ({} bytes)", path.display(), found.len())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Failure::new(format!("cannot look at {}: {error}", path.display()))),
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Failure::new(format!("the folder {} does not exist", folder.display())).hint("make it first"));
    }
    Ok(RestorePlan {
        backup: source.manifest.id.to_string(),
        store: source.store.name().to_string(),
        snapshot_at: source.manifest.snapshot_at,
        stored_bytes: data.bytes,
        plain_bytes: data.plain_bytes,
        target: path.display().to_string(),
        creates: true,
        occupied,
        tool: None,
        warnings: Vec::new(),
    })
}

/// Downloads the database file into the staging folder, checked against the manifest to the last byte.
pub(super) async fn stage(
    source: &BackupSource,
    object: &Object,
    context: &RestoreContext<'_>,
) -> Result<NamedTempFile, Trouble> {
    context.progress.phase("download");
    context.progress.expect(object.bytes);
    let cannot =
        |error: std::io::Error| Failure::new(format!("cannot write to {}: {error}", context.staging.display()));
    let staged = NamedTempFile::new_in(context.staging).map_err(cannot)?;
    let mut file = staged.reopen().map_err(cannot)?;
    let write = move |reader: &mut dyn Read| {
        std::io::copy(reader, &mut file)?;
        file.flush()
    };
    source.read(object, &context.identities, &context.progress, &context.cancel, write).await?;
    Ok(staged)
}

pub(super) async fn restore(
    source: &BackupSource,
    path: &Path,
    plan: &RestorePlan,
    replay: &Replay,
    context: &RestoreContext<'_>,
) -> Result<Restored, Trouble> {
    let data = source.data()?;
    let staged = stage(source, data, context).await?;
    context.progress.phase("check");
    let found = sqlite::check(staged.path(), SqliteCheck::Full, &context.cancel).await?;
    let warnings = found.findings.iter().take(20).map(|f| format!("{}: {}", f.check, f.text)).collect();
    if replay.count() == 0 {
        sqlite::restore_into_new(staged.path(), path, &context.cancel).await?;
        context.progress.phase("compare");
        // The restored file itself, not the staged one.
        let comparison = compare_file(source, path, context).await?;
        return Ok(Restored { comparison, replayed: Vec::new(), warnings });
    }
    // Where it is going anybody may open it, so it goes there when nobody is in it any more whom nobody may meet.
    context.progress.phase("compare");
    let comparison = compare_file(source, staged.path(), context).await?;
    let place = Place::File(staged.path().to_owned());
    let copy = Copy { place, name: plan.target.clone(), snapshot_at: Some(plan.snapshot_at) };
    let replayed = super::apply_again(replay, &copy, context).await?;
    // What is still in a -wal file would stay behind.
    if sqlite::wal_bytes(staged.path()) > 0 {
        return Err(Failure::new("a bug: the restored file was changed and not closed").into());
    }
    sqlite::restore_into_new(staged.path(), path, &context.cancel).await?;
    Ok(Restored { comparison, replayed, warnings })
}

/// Compares a file with the manifest.
async fn compare_file(source: &BackupSource, path: &Path, context: &RestoreContext<'_>) -> Result<Comparison, Failure> {
    let level = depth(&source.manifest);
    let (path, cancel, progress) = (path.to_owned(), context.cancel.clone(), Arc::clone(&context.progress));
    let found = tokio::task::spawn_blocking(move || backup::fingerprint_sqlite(&path, level, &cancel, &progress));
    let found = found.await.map_err(|panic| Failure::new(format!("a bug: {panic}")))??;
    Ok(compare(&source.manifest, &found, &[]))
}
