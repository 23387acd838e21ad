//! The stores a backup goes to, and which of them still take part.

use std::sync::Arc;

use crate::config::{Config, StoreName};
use crate::run::Failure;
use crate::store::{self, Store};

/// A store a backup goes to. Once it has failed it takes no further part.
#[derive(Debug)]
pub(super) struct Destination {
    pub name: StoreName,
    store: Option<Arc<dyn Store>>,
    failure: Option<Failure>,
}

impl Destination {
    /// A destination that is open.
    pub(super) fn open(store: Arc<dyn Store>) -> Self {
        Self { name: store.name().clone(), store: Some(store), failure: None }
    }

    /// The store, while it takes part.
    pub(super) fn store(&self) -> Option<&Arc<dyn Store>> {
        self.store.as_ref().filter(|_| self.failure.is_none())
    }

    /// The store, even after it has failed: to clean up.
    pub(super) fn any_store(&self) -> Option<&Arc<dyn Store>> {
        self.store.as_ref()
    }

    /// Why it takes no further part.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Takes it out. The first reason stays.
    pub(super) fn fail(&mut self, failure: impl Into<Failure>) {
        let failure = failure.into();
        tracing::error!(store = %self.name, error = failure.message, "store takes no further part in this run");
        self.failure.get_or_insert(failure);
    }
}

/// Opens the stores of these names. One that cannot be opened is a destination that has failed.
pub(super) async fn open_all(config: &Config, names: &[StoreName]) -> Vec<Destination> {
    let mut destinations = Vec::with_capacity(names.len());
    for name in names {
        destinations.push(match open(config, name).await {
            Ok(store) => Destination::open(store),
            Err(failure) => Destination { name: name.clone(), store: None, failure: Some(failure) },
        });
    }
    destinations
}

/// Opens one store of the configuration.
pub(super) async fn open(config: &Config, name: &StoreName) -> Result<Arc<dyn Store>, Failure> {
    let settings = config.stores.get(name).ok_or_else(|| {
        Failure::new(format!("store {name} is not in the configuration"))
            .hint("put it back, so that what lies there can be read and removed")
    })?;
    Ok(store::open(settings).await?)
}
