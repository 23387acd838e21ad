//! A store that is a bucket of Amazon S3 or a compatible service.

mod bucket;
mod checksum;
mod client;
mod fault;
mod multipart;
mod probe;
mod put;
mod read;
mod retry;
mod sweep;
mod upload;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use self::bucket::Bucket;
use self::upload::S3Upload;
use super::{ObjectInfo, ObjectKey, ObjectReader, Store, StoreError, Upload};
use crate::config::{self, StoreName};

/// A bucket as a store.
#[derive(Debug, Clone)]
pub struct S3Store {
    bucket: Arc<Bucket>,
}

impl S3Store {
    /// The store; the bucket is not looked at yet. Must be called on a runtime, where clean-up will go on.
    pub async fn connect(name: StoreName, configured: &config::S3Store) -> Result<Self, StoreError> {
        let client = client::connect(configured).await;
        let bucket = Bucket {
            store: name,
            client,
            settings: configured.clone(),
            cleanup: TaskTracker::new(),
            runtime: Handle::current(),
            seen: AtomicBool::new(false),
        };
        Ok(Self { bucket: Arc::new(bucket) })
    }
}

#[async_trait]
impl Store for S3Store {
    fn name(&self) -> &StoreName {
        &self.bucket.store
    }

    async fn begin(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        self.bucket.ensure_seen().await?;
        Ok(Box::new(S3Upload::new(Arc::clone(&self.bucket), key.clone())))
    }

    async fn put(&self, key: &ObjectKey, bytes: Bytes) -> Result<(), StoreError> {
        self.bucket.ensure_seen().await?;
        put::put(&self.bucket, key, bytes).await
    }

    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<bool, StoreError> {
        self.bucket.ensure_seen().await?;
        put::put_new(&self.bucket, key, bytes).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Bytes>, StoreError> {
        read::get(&self.bucket, key).await
    }

    async fn read(&self, key: &ObjectKey, offset: u64) -> Result<ObjectReader, StoreError> {
        read::read(&self.bucket, key, offset).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectInfo>, StoreError> {
        Ok(self.bucket.head(key).await?.map(|(info, _)| info))
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        let bucket = &self.bucket;
        let mut pages = bucket
            .client
            .list_objects_v2()
            .bucket(&bucket.settings.bucket)
            .prefix(bucket.folder(folder))
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| bucket.error("list", folder, &error))?;
            for object in page.contents() {
                let key = object.key().and_then(|key| key.strip_prefix(&bucket.settings.prefix));
                // What other tools use to show a folder is no key of ours.
                if let Some(key) = key.and_then(ObjectKey::parse) {
                    let bytes = object.size().and_then(|n| u64::try_from(n).ok()).unwrap_or_default();
                    found.push(ObjectInfo { key, bytes });
                }
            }
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.bucket.delete(key).await
    }

    async fn sweep(&self, folder: &str) -> Result<usize, StoreError> {
        sweep::sweep(&self.bucket, folder).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        probe::probe(self).await
    }

    async fn close(&self) {
        self.bucket.close().await;
    }
}
