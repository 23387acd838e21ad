//! What all operations on a bucket share: the client, the settings, keys, errors, and the clean-up of what was given up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::super::{ObjectInfo, ObjectKey, StoreError, StoreErrorKind};
use super::checksum;
use super::fault::kind_of;
use super::retry::patiently;
use crate::config::{S3Profile, S3Store, StoreName};

/// How long removing what is left of a failed upload may take.
pub const CLEAN_UP: Duration = Duration::from_secs(30);
/// Looks at an object that was just written and is not there yet, on services that are slow to tell.
const LOOKS: u32 = 5;

/// A bucket.
#[derive(Debug)]
pub struct Bucket {
    pub store: StoreName,
    pub client: Client,
    pub settings: S3Store,
    /// Clean-up that goes on after its upload was dropped.
    pub cleanup: TaskTracker,
    /// Where it goes on.
    pub runtime: Handle,
    /// The bucket was there when it was first written to.
    pub seen: AtomicBool,
}

impl Bucket {
    /// An object's key in the bucket.
    pub fn key(&self, key: &ObjectKey) -> String {
        format!("{}{key}", self.settings.prefix)
    }

    /// A folder's prefix in the bucket.
    pub fn folder(&self, folder: &str) -> String {
        match folder.trim_end_matches('/') {
            "" => self.settings.prefix.clone(),
            folder => format!("{}{folder}/", self.settings.prefix),
        }
    }

    /// A store's error for a failed request.
    pub fn error<E: ProvideErrorMetadata + std::error::Error + 'static>(
        &self,
        operation: &'static str,
        object: &str,
        error: &SdkError<E>,
    ) -> StoreError {
        self.fail(operation, object, kind_of(error))
    }

    /// A store's error.
    pub fn fail(&self, operation: &'static str, object: &str, kind: StoreErrorKind) -> StoreError {
        let object = match kind {
            StoreErrorKind::Missing => format!("s3://{}", self.settings.bucket),
            _ => format!("s3://{}/{}{object}", self.settings.bucket, self.settings.prefix),
        };
        StoreError { store: self.store.clone(), operation, object, kind, source: None }
    }

    /// Whether the service checks CRC32C sums, made by the SDK, rather than `Content-MD5`.
    pub fn crc(&self) -> bool {
        self.settings.profile == S3Profile::Aws
    }

    /// Whether a part's bytes stay out of the signature: TLS and the part's own checksum, which is signed, protect
    /// them, and hashing them once more costs as much as compressing them.
    pub fn unsigned_payload(&self) -> bool {
        self.settings.endpoint.as_deref().is_none_or(|endpoint| endpoint.starts_with("https://"))
    }

    pub fn encryption(&self) -> Option<ServerSideEncryption> {
        self.settings.server_side_encryption.as_deref().map(ServerSideEncryption::from)
    }

    pub fn storage_class(&self) -> Option<StorageClass> {
        self.settings.storage_class.as_deref().map(StorageClass::from)
    }

    /// Settings for a request that [`super::retry`] repeats.
    pub fn once() -> aws_sdk_s3::config::Builder {
        aws_sdk_s3::config::Builder::new().retry_config(RetryConfig::disabled())
    }

    /// Settings for a request over which the service may think for minutes.
    pub fn unhurried(&self) -> aws_sdk_s3::config::Builder {
        let patience = self.settings.request_timeout.max(Duration::from_secs(1)) * 5;
        aws_sdk_s3::config::Builder::new()
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(patience).build())
    }

    /// Looks, before the first write, whether the bucket is there: some services make a bucket for whoever writes into
    /// it, and a slip in the name must not become a place for backups. A service that cannot be reached fails here at
    /// once, before anything was dumped for it; later it is waited for. What else goes wrong, the write will say.
    pub async fn ensure_seen(&self) -> Result<(), StoreError> {
        if self.seen.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.client.head_bucket().bucket(&self.settings.bucket).send().await {
            Ok(_) => self.seen.store(true, Ordering::Relaxed),
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => {
                return Err(self.fail("write", "", StoreErrorKind::Missing));
            }
            Err(error) => {
                let error = self.error("write", "", &error);
                if matches!(error.kind, StoreErrorKind::Unavailable(_)) {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// What the service says of an object, and its ETag.
    pub async fn head(&self, key: &ObjectKey) -> Result<Option<(ObjectInfo, Etag)>, StoreError> {
        let answer = self.client.head_object().bucket(&self.settings.bucket).key(self.key(key)).send().await;
        match answer {
            Ok(found) => {
                let bytes = found.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or_default();
                let etag = Etag { text: found.e_tag, encryption: found.server_side_encryption };
                Ok(Some((ObjectInfo { key: key.clone(), bytes }, etag)))
            }
            Err(error) => match error.raw_response().map(|raw| raw.status().as_u16()) {
                Some(404) => Ok(None),
                _ => Err(self.error("look at", key.as_str(), &error)),
            },
        }
    }

    /// Compares what the service says it holds with what was sent; what differs is deleted again.
    pub async fn verify(&self, key: &ObjectKey, sent: u64, etag: &str) -> Result<(), StoreError> {
        let mut looks = 0;
        let found = loop {
            looks += 1;
            match patiently(self.settings.request_timeout, || self.head(key)).await? {
                None if looks < LOOKS => tokio::time::sleep(Duration::from_millis(100 << looks)).await,
                other => break other,
            }
        };
        let wrong = match found {
            None => "it was taken, and is not there".to_owned(),
            Some((info, _)) if info.bytes != sent => {
                format!("{sent} bytes were sent, the service has {}", info.bytes)
            }
            Some((_, found)) if checksum::contradicts(found.text.as_deref(), etag, found.encryption.as_ref()) => {
                format!("the ETag should be {etag}, it is {}", found.text.unwrap_or_default())
            }
            Some(_) => return Ok(()),
        };
        if let Err(error) = self.delete(key).await {
            tracing::warn!(error = %error, "an object that differs from what was sent could not be deleted");
        }
        Err(self.fail("verify", key.as_str(), StoreErrorKind::Mismatch(wrong)))
    }

    pub async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let answer = self.client.delete_object().bucket(&self.settings.bucket).key(self.key(key)).send().await;
        match answer.map_err(|error| self.error("delete", key.as_str(), &error)) {
            Err(error) if error.kind == StoreErrorKind::NoObject => Ok(()),
            other => other.map(drop),
        }
    }

    /// Ends a multipart upload; one that is not there has ended.
    pub async fn abort(&self, full_key: &str, upload_id: &str) -> Result<(), StoreError> {
        let request = self.client.abort_multipart_upload().bucket(&self.settings.bucket).key(full_key);
        match request.upload_id(upload_id).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().and_then(|e| e.code()) == Some("NoSuchUpload") => Ok(()),
            Err(error) => {
                let key = full_key.strip_prefix(&self.settings.prefix).unwrap_or(full_key);
                Err(self.error("abort the upload of", key, &error))
            }
        }
    }

    /// Waits for the clean-up that goes on in the background.
    pub async fn close(&self) {
        self.cleanup.close();
        // A request that made an upload may be followed by its clean-up, hence twice the deadline.
        let _ = tokio::time::timeout(CLEAN_UP * 2, self.cleanup.wait()).await;
        self.cleanup.reopen();
    }

    /// Does clean-up in the background, within its deadline.
    pub fn clean_up(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.cleanup.spawn_on(
            async move {
                // What is left then, the next sweep finds.
                let _ = tokio::time::timeout(CLEAN_UP, work).await;
            },
            &self.runtime,
        );
    }
}

/// An object's ETag, and what decides whether it can be compared.
#[derive(Debug)]
pub struct Etag {
    pub text: Option<String>,
    pub encryption: Option<ServerSideEncryption>,
}
