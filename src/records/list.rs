//! Archives found: by their manifests, in every store.

use futures::future::join_all;
use futures::{StreamExt, stream};
use serde::Serialize;

use super::write::within;
use super::{FOLDER, MANIFEST, Manifest, STORE_WITHIN, folder, open};
use crate::config::{Config, StoreName};
use crate::run::Failure;
use crate::state::{LogKind, State, StateError};

/// How many manifests are read at once.
const AT_ONCE: usize = 8;

/// What was found.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Listing {
    /// The archives, the oldest first.
    pub found: Vec<Found>,
    /// Stores that could not be asked: what they hold is not known.
    pub missed: Vec<Missed>,
}

/// An archive in a store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// Which store.
    pub store: String,
    /// Its folder there.
    pub folder: String,
    /// What it says of itself.
    #[serde(flatten)]
    pub manifest: Manifest,
}

/// A store that could not be asked, or a manifest in it that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// The store.
    pub store: String,
    /// Why.
    pub error: String,
}

/// The archives of a policy, or of all, in every store of the configuration.
pub async fn list(config: &Config, policy: Option<&str>) -> Listing {
    let folder = policy.map_or_else(|| FOLDER.to_owned(), folder);
    let folder = folder.as_str();
    let listings = config.stores.keys().map(|name| async move { (name, listed(config, name, folder).await) });
    let mut listing = Listing::default();
    for (name, listed) in join_all(listings).await {
        match listed {
            Ok((found, errors)) => {
                listing.found.extend(found);
                listing.missed.extend(errors.into_iter().map(|error| Missed { store: name.to_string(), error }));
            }
            Err(failure) => listing.missed.push(Missed { store: name.to_string(), error: failure.message }),
        }
    }
    listing
        .found
        .sort_by(|one, other| (one.manifest.at, &one.manifest.id).cmp(&(other.manifest.at, &other.manifest.id)));
    listing
}

/// The archives of a policy that has ever written one from here, or could; without asking any store where it has not.
pub async fn find(config: &Config, state: &State, policy: &str) -> Result<Listing, StateError> {
    let archives = config.privacy.get(policy).is_some_and(|policy| policy.archives());
    if archives || state.has_logged(LogKind::RowsArchived, policy).await? {
        return Ok(list(config, Some(policy)).await);
    }
    Ok(Listing::default())
}

/// The archives in a store, and what is wrong with others.
async fn listed(config: &Config, name: &StoreName, folder: &str) -> Result<(Vec<Found>, Vec<String>), Failure> {
    let store = open(config, name).await?;
    let objects = within(STORE_WITHIN, store.list(folder)).await?;
    let manifests: Vec<_> = objects
        .into_iter()
        .filter(|object| object.key.as_str().ends_with(&format!("/{MANIFEST}")))
        .map(|object| object.key)
        .collect();
    let store = &store;
    let read = stream::iter(manifests).map(|key| async move {
        let bytes = within(STORE_WITHIN, store.get(&key)).await?;
        // Gone meanwhile.
        let Some(bytes) = bytes else { return Ok(None) };
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::new(format!("{key} is no manifest of an archive: {error}")))?;
        let folder = key.as_str().trim_end_matches(MANIFEST).trim_end_matches('/').to_owned();
        Ok(Some(Found { store: store.name().to_string(), folder, manifest }))
    });
    let read: Vec<Result<Option<Found>, Failure>> = read.buffered(AT_ONCE).collect().await;
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for one in read {
        match one {
            Ok(one) => found.extend(one),
            Err(failure) => errors.push(failure.message),
        }
    }
    Ok((found, errors))
}
