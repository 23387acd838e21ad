//! Partial backups completed: a store that has missed a backup gets it from one that has it, instead of from a new
//! dump.

use jiff::Timestamp;

use super::destination;
use super::layout::{MANIFEST, object_key};
use crate::archive::manifest::Manifest;
use crate::config::{Config, StoreName};
use crate::run::{Failure, RunContext};
use crate::state::{Backup, BackupFilter, BackupState, CopyState};
use crate::store;

/// Copies a partial backup to the stores that miss it. Returns the stores that have it now, or the first failure after
/// all were tried.
pub(super) async fn complete(backup: &Backup, config: &Config, context: &RunContext) -> Result<Vec<String>, Failure> {
    let text = backup.manifest.as_deref().ok_or_else(|| Failure::new("the partial backup has no manifest"))?;
    let manifest: Manifest = serde_json::from_str(text)
        .map_err(|error| Failure::new(format!("the manifest of {} cannot be read: {error}", backup.id)))?;
    let missing: Vec<&str> = backup
        .copies
        .iter()
        .filter(|copy| matches!(copy.state, CopyState::Missing | CopyState::Leftover))
        .map(|copy| copy.store.as_str())
        .collect();
    let (mut completed, mut first_failure) = (Vec::new(), None);
    for store in missing {
        match copy_to(backup, &manifest, text, store, config, context).await {
            Ok(from) => {
                tracing::info!(backup = backup.id, from, to = store, "missing copy made from a good one");
                completed.push(store.to_owned());
            }
            Err(failure) => {
                tracing::warn!(backup = backup.id, store, error = failure.message, "the missing copy is still missing");
                first_failure.get_or_insert(failure);
            }
        }
    }
    match first_failure {
        None => Ok(completed),
        Some(failure) => Err(failure),
    }
}

/// The job's newest backup, if it is partial and can be completed.
pub(super) async fn candidate(job: &str, context: &RunContext) -> Result<Option<Backup>, Failure> {
    let wanted = BackupFilter { lease: Some(job), limit: 1, ..BackupFilter::default() };
    let newest = context.state.backups(&wanted).await?.pop();
    Ok(newest.filter(|backup| {
        backup.state == BackupState::Partial
            && backup.copies.iter().any(|copy| matches!(copy.state, CopyState::Missing | CopyState::Leftover))
    }))
}

async fn copy_to(
    backup: &Backup,
    manifest: &Manifest,
    text: &str,
    to: &str,
    config: &Config,
    context: &RunContext,
) -> Result<String, Failure> {
    context.progress.phase("copy");
    let target = destination::open(config, &name(to)?).await?;
    let mut failure = Failure::new("no store has a complete copy");
    for from in backup.complete_in() {
        let source = match destination::open(config, &name(from)?).await {
            Ok(source) => source,
            Err(error) => {
                failure = error;
                continue;
            }
        };
        let now = Timestamp::now();
        context.state.set_copy(&backup.id, to, CopyState::Writing, None, now).await?;
        let copied = async {
            for object in &manifest.objects {
                let key = object_key(&backup.database, &backup.id, &object.name);
                let moved = |bytes: u64| {
                    context.progress.add_in(bytes);
                    context.progress.add_stored(bytes);
                };
                store::copy(&source, target.as_ref(), &key, object.bytes, Some(&object.sha256), &moved).await?;
            }
            let key = object_key(&backup.database, &backup.id, MANIFEST);
            target.put(&key, bytes::Bytes::copy_from_slice(text.as_bytes())).await
        };
        match copied.await {
            Ok(()) => {
                context.state.set_copy(&backup.id, to, CopyState::Complete, None, Timestamp::now()).await?;
                return Ok(from.to_owned());
            }
            Err(error) => {
                let cleaned = super::remains::remove(&backup.database, &backup.id, target.as_ref()).await.is_ok();
                let left = if cleaned { CopyState::Missing } else { CopyState::Leftover };
                failure = error.into();
                context.state.set_copy(&backup.id, to, left, Some(&failure.message), Timestamp::now()).await?;
            }
        }
    }
    Err(failure)
}

fn name(store: &str) -> Result<StoreName, Failure> {
    store.parse().map_err(|error| Failure::new(format!("{error}")))
}
