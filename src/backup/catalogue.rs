//! Backups by hand: pins, and where a good copy is.

use bytes::Bytes;
use jiff::Timestamp;

use super::destination;
use super::layout::object_key;
use crate::config::{Config, StoreKind, StoreName};
use crate::run::Failure;
use crate::state::{Backup, CopyState, State};

/// The event object that keeps a pin in the stores, so that a catalogue rebuilt from them knows it.
const PINNED: &str = "events/pinned";

/// Pins a backup: retention never removes it. The pin stands in the catalogue and beside every complete copy; returns
/// the stores where it could not be written.
pub async fn pin(backup: &Backup, config: &Config, state: &State, now: Timestamp) -> Result<Vec<Failure>, Failure> {
    state.set_pinned(&backup.id, Some(now)).await?;
    let event = Bytes::from(format!("{{\"event\":\"pinned\",\"at\":\"{now}\"}}\n"));
    Ok(in_every_store(backup, config, Some(event)).await)
}

/// Takes the pin off.
pub async fn unpin(backup: &Backup, config: &Config, state: &State) -> Result<Vec<Failure>, Failure> {
    // The stores first: a pin left over keeps too much, a pin lost keeps too little.
    let failures = in_every_store(backup, config, None).await;
    state.set_pinned(&backup.id, None).await?;
    Ok(failures)
}

async fn in_every_store(backup: &Backup, config: &Config, event: Option<Bytes>) -> Vec<Failure> {
    let key = object_key(&backup.database, &backup.id, PINNED);
    let mut failures = Vec::new();
    for store in backup.complete_in() {
        let done = async {
            let name: StoreName = store.parse().map_err(|error| Failure::new(format!("{error}")))?;
            let store = destination::open(config, &name).await?;
            match &event {
                Some(event) => store.put(&key, event.clone()).await?,
                None => store.delete(&key).await?,
            }
            Ok::<(), Failure>(())
        };
        if let Err(failure) = done.await {
            failures.push(failure);
        }
    }
    failures
}

/// The stores that a backup can be read from, in the order in which they should be asked: those that hold all of it, local
/// ones first; last those whose copy was found bad, which may not be bad in what is wanted, or not any more.
pub fn copies_to_read(backup: &Backup, config: &Config) -> Vec<StoreName> {
    let mut copies: Vec<(bool, bool, StoreName)> = backup
        .copies
        .iter()
        .filter(|copy| matches!(copy.state, CopyState::Complete | CopyState::Bad))
        .filter_map(|copy| {
            let name: StoreName = copy.store.parse().ok()?;
            let remote = !matches!(config.stores.get(&name)?.kind, StoreKind::Local(_));
            Some((copy.state == CopyState::Bad, remote, name))
        })
        .collect();
    copies.sort();
    copies.into_iter().map(|(_, _, name)| name).collect()
}
