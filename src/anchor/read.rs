//! Anchors read: from the stores, and from the manifests of the catalogue.

use futures::future::join_all;
use serde::Deserialize;

use super::reach::{in_time, open};
use super::{Missed, folder, head, stores};
use crate::config::{Config, StoreName};
use crate::fault::chain;
use crate::state::{Anchor, BackupFilter, LogHead, State, StateError};

/// What is known of the log elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchors {
    /// All that was found.
    pub found: Vec<Anchor>,
    /// Stores that could not be asked, or do not hold what was written there: what they would say is not known.
    pub missed: Vec<Missed>,
}

/// Reads every anchor that there is.
pub async fn read(config: &Config, state: &State) -> Result<Anchors, StateError> {
    let (folder, mut anchors) = (folder(state).await?, Anchors { found: manifests(state).await?, missed: Vec::new() });
    let folder = &folder;
    let listings =
        stores(config).into_iter().map(|name| async move { (name, in_time(listed(config, name, folder)).await) });
    for (name, listed) in join_all(listings).await {
        match listed {
            Err(error) => anchors.missed.push(Missed::new(name, error)),
            Ok(heads) => {
                let told = state.anchored(name.as_str()).await?;
                if told > 0 && !heads.iter().any(|head| head.seq >= told) {
                    let error = format!("it does not hold the anchor of line {told}, which was written there");
                    anchors.missed.push(Missed::new(name, error));
                }
                let place = format!("store {name}");
                anchors.found.extend(heads.into_iter().map(|head| Anchor { head, place: place.clone() }));
            }
        }
    }
    Ok(anchors)
}

async fn listed(config: &Config, name: &StoreName, folder: &str) -> Result<Vec<LogHead>, String> {
    let store = open(config, name).await?;
    let objects = store.list(folder).await.map_err(|error| chain(&error))?;
    Ok(objects.iter().filter_map(|object| head(object.key.as_str())).collect())
}

/// What the manifests of the catalogue know.
async fn manifests(state: &State) -> Result<Vec<Anchor>, StateError> {
    #[derive(Deserialize)]
    struct Manifest {
        disposition_log: Option<LogHead>,
    }
    let backups = state.backups(BackupFilter::All).await?;
    let anchors = backups.iter().filter_map(|backup| {
        let manifest: Manifest = serde_json::from_str(backup.manifest.as_deref()?).ok()?;
        Some(Anchor { head: manifest.disposition_log?, place: format!("the manifest of {}", backup.id) })
    });
    Ok(anchors.collect())
}
