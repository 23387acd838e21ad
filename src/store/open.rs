//! From the configuration to a store.

use std::sync::Arc;

use super::{LocalStore, S3Store, Store, StoreError};
use crate::config;

/// Opens a configured store. Nothing is written and no request is sent, except what the AWS chain needs to find a region
/// when the configuration names none.
pub async fn open(configured: &config::Store) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match &configured.kind {
        config::StoreKind::Local(local) => Arc::new(LocalStore::new(configured.name.clone(), local)),
        config::StoreKind::S3(s3) => Arc::new(S3Store::connect(configured.name.clone(), s3).await?),
    })
}
