//! What a killed run has left in the stores, settled: a copy it was writing and whose manifest is there is complete and is
//! kept; anything else is removed. Also removes copies that were given up, and finishes removals that were begun.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::destination;
use super::layout::{MANIFEST, folder, object_key};
use crate::archive::manifest::Manifest;
use crate::config::{Config, StoreKind, StoreName};
use crate::run::{Failure, Lease};
use crate::state::{Backup, BackupFilter, Copy, CopyState, State};
use crate::store::{Store, StoreError};

/// A service may still carry out what a killed process has sent it: an object, even a manifest, that appears after it was
/// looked for would stay for ever.
const IN_FLIGHT: Duration = Duration::from_secs(2);

/// Settles what runs under a lease have left, if nobody holds that lease. For the daemon's start.
pub async fn settle_lease(lease: &str, config: &Config, state: &State) -> Result<(), Failure> {
    match Lease::acquire(state.dir(), lease, Timestamp::now()) {
        Ok(_held) => {
            state.interrupt_runs(lease, Timestamp::now()).await?;
            settle_held(lease, config, state).await
        }
        // Somebody is at work: they have settled it, or will.
        Err(crate::run::LeaseError::Busy { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Settles what runs under a lease have left. The caller holds the lease. A store that cannot be reached keeps its
/// remains until the next time.
pub async fn settle_held(lease: &str, config: &Config, state: &State) -> Result<(), Failure> {
    if !state.unsettled_leases().await?.iter().any(|unsettled| unsettled == lease) {
        return Ok(());
    }
    let backups = state.backups(BackupFilter::Lease(lease)).await?;
    if backups.iter().flat_map(|backup| &backup.copies).any(|copy| was_on_its_way(copy, config)) {
        tokio::time::sleep(IN_FLIGHT).await;
    }
    for backup in &backups {
        for copy in &backup.copies {
            if !matches!(copy.state, CopyState::Writing | CopyState::Leftover | CopyState::Deleting) {
                continue;
            }
            let settled = match open(config, &copy.store).await {
                Ok(store) => settle_copy(backup, copy.state, &store, state).await,
                Err(failure) => Err(failure),
            };
            if let Err(failure) = settled {
                tracing::warn!(backup = backup.id, store = copy.store, error = failure.message, "remains stay for now");
                let (now, left) = (Timestamp::now(), copy.state == CopyState::Deleting);
                let keep = if left { CopyState::Deleting } else { CopyState::Leftover };
                state.set_copy(&backup.id, &copy.store, keep, Some(&failure.message), now).await?;
            }
        }
    }
    Ok(())
}

fn was_on_its_way(copy: &Copy, config: &Config) -> bool {
    let store = config.stores.iter().find(|(name, _)| name.as_str() == copy.store);
    copy.state == CopyState::Writing && store.is_some_and(|(_, store)| matches!(store.kind, StoreKind::S3(_)))
}

async fn open(config: &Config, store: &str) -> Result<Arc<dyn Store>, Failure> {
    let name: StoreName = store.parse().map_err(|error| Failure::new(format!("{error}")))?;
    destination::open(config, &name).await
}

async fn settle_copy(backup: &Backup, copy: CopyState, store: &Arc<dyn Store>, state: &State) -> Result<(), Failure> {
    let name = store.name().as_str();
    if copy == CopyState::Deleting {
        remove(&backup.database, &backup.id, store.as_ref()).await?;
        return Ok(state.finish_delete(&backup.id, name).await?);
    }
    // Only what was being written may turn out to be complete. A leftover was given up, manifest or not: it was cut off
    // in mid-clean-up.
    let manifest = match copy {
        CopyState::Writing => store.get(&object_key(&backup.database, &backup.id, MANIFEST)).await?,
        _ => None,
    };
    let complete = manifest.as_ref().and_then(|bytes| {
        let text = std::str::from_utf8(bytes).ok()?;
        let manifest: Manifest = serde_json::from_str(text).ok()?;
        (manifest.id.as_str() == backup.id).then_some(text)
    });
    if let Some(text) = complete {
        tracing::info!(backup = backup.id, store = name, "the killed run had completed this copy");
        state.set_manifest(&backup.id, text).await?;
        return Ok(state.set_copy(&backup.id, name, CopyState::Complete, None, Timestamp::now()).await?);
    }
    remove(&backup.database, &backup.id, store.as_ref()).await?;
    tracing::info!(backup = backup.id, store = name, "removed what was left of a copy");
    let known = backup.copies.iter().find(|known| known.store == name).and_then(|known| known.error.as_deref());
    let why = known.unwrap_or("interrupted");
    Ok(state.set_copy(&backup.id, name, CopyState::Missing, Some(why), Timestamp::now()).await?)
}

/// Removes a backup from a store: the manifest first, so that it does not exist any more, then the rest.
pub(super) async fn remove(database: &str, backup: &str, store: &dyn Store) -> Result<(), StoreError> {
    store.delete(&object_key(database, backup, MANIFEST)).await?;
    let folder = folder(database, backup);
    for object in store.list(&folder).await? {
        store.delete(&object.key).await?;
    }
    store.sweep(&folder).await?;
    Ok(())
}
