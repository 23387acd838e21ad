//! Objects sent by one request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use bytes::Bytes;

use super::super::{ObjectKey, StoreError, StoreErrorKind};
use super::bucket::Bucket;
use super::checksum::{self, Sum};
use super::retry::patiently;

/// Writes an object, replacing what is there, and verifies it.
pub async fn put(bucket: &Arc<Bucket>, key: &ObjectKey, bytes: Bytes) -> Result<(), StoreError> {
    let sum = checksum::md5(&bytes).await;
    patiently(bucket.settings.request_timeout, || async { send(bucket, key, &bytes, &sum, false).await.map(drop) })
        .await?;
    bucket.verify(key, bytes.len() as u64, &checksum::etag(&sum)).await
}

/// Writes an object unless the key exists. `false`: it does.
pub async fn put_new(bucket: &Arc<Bucket>, key: &ObjectKey, bytes: Bytes) -> Result<bool, StoreError> {
    // A service that does not know If-None-Match would overwrite.
    if bucket.head(key).await?.is_some() {
        return Ok(false);
    }
    let sum = checksum::md5(&bytes).await;
    let attempts = AtomicU32::new(0);
    let taken = patiently(bucket.settings.request_timeout, || async {
        attempts.fetch_add(1, Ordering::Relaxed);
        send(bucket, key, &bytes, &sum, true).await
    })
    .await;
    let taken = match taken {
        // The service does not know the condition; it has been looked for above.
        Err(error) if matches!(&error.kind, StoreErrorKind::Other(text) if text.starts_with("NotImplemented")) => {
            send(bucket, key, &bytes, &sum, false).await?
        }
        other => other?,
    };
    if !taken {
        // An attempt whose answer was lost may have been ours.
        let ours = attempts.load(Ordering::Relaxed) > 1
            && super::read::get(bucket, key).await?.is_some_and(|found| found == bytes);
        return Ok(ours);
    }
    bucket.verify(key, bytes.len() as u64, &checksum::etag(&sum)).await?;
    Ok(true)
}

/// One attempt. `false`: the key exists and `only_new` was asked for.
async fn send(bucket: &Bucket, key: &ObjectKey, bytes: &Bytes, sum: &Sum, only_new: bool) -> Result<bool, StoreError> {
    let request = bucket
        .client
        .put_object()
        .bucket(&bucket.settings.bucket)
        .key(bucket.key(key))
        .set_server_side_encryption(bucket.encryption())
        .set_ssekms_key_id(bucket.settings.kms_key_id.clone())
        .set_storage_class(bucket.storage_class())
        .set_if_none_match(only_new.then(|| "*".to_owned()))
        .body(ByteStream::from(bytes.clone()));
    let request = if bucket.crc() {
        request.checksum_algorithm(ChecksumAlgorithm::Crc32C)
    } else {
        request.content_md5(checksum::content_md5(sum))
    };
    let request = request.customize().config_override(Bucket::once());
    let request = if bucket.unsigned_payload() { request.disable_payload_signing() } else { request };
    match request.send().await {
        Ok(_) => Ok(true),
        Err(error) if only_new && error.as_service_error().and_then(|e| e.code()) == Some("PreconditionFailed") => {
            Ok(false)
        }
        Err(error) => Err(bucket.error("write", key.as_str(), &error)),
    }
}
