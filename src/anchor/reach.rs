//! Stores reached with patience that ends: one that hangs keeps nobody for long.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, StoreName};
use crate::fault::chain;
use crate::store::{self, Store};

/// How long one store may take.
const WITHIN: Duration = Duration::from_secs(30);

/// Opens a store of the configuration.
pub async fn open(config: &Config, name: &StoreName) -> Result<Arc<dyn Store>, String> {
    let settings = config.stores.get(name).ok_or("it is not in the configuration")?;
    store::open(settings).await.map_err(|error| chain(&error))
}

/// What a store gives or takes in time.
pub async fn in_time<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let done = tokio::time::timeout(WITHIN, work).await;
    done.unwrap_or_else(|_| Err(format!("it did not answer within {} s", WITHIN.as_secs())))
}
