//! What a bucket's keys must be allowed to do, tried one by one.

use super::super::{StoreError, StoreErrorKind, probe};
use super::S3Store;
use super::multipart::Multipart;
use crate::store::Store;

/// Tries all that a backup, its retention and its restore need. A refusal names the permission.
pub async fn probe(store: &S3Store) -> Result<(), StoreError> {
    let bucket = &store.bucket;
    let key = probe::key();
    let bytes = bytes::Bytes::from(format!("Caretaker was here to see whether it can write: {key}\n"));
    store.put(&key, bytes.clone()).await.map_err(needs("s3:PutObject"))?;
    let read = store.get(&key).await.map_err(needs("s3:GetObject"));
    let deleted = store.delete(&key).await.map_err(needs("s3:DeleteObject"));
    if read?.as_ref() != Some(&bytes) {
        let kind = StoreErrorKind::Mismatch("an object written a moment ago reads differently".to_owned());
        return Err(bucket.fail("probe", key.as_str(), kind));
    }
    deleted?;
    let multipart = Multipart::begin(bucket, key.clone()).await.map_err(needs("s3:PutObject"))?;
    let upload_id = multipart.upload_id();
    bucket.abort(&bucket.key(&key), &upload_id).await.map_err(needs("s3:AbortMultipartUpload"))?;
    drop(multipart);
    store.list(&format!("_caretaker/{}", probe::key())).await.map_err(needs("s3:ListBucket"))?;
    super::sweep::unfinished(bucket, "_caretaker").await.map_err(needs("s3:ListBucketMultipartUploads"))?;
    bucket.close().await;
    Ok(())
}

fn needs(permission: &'static str) -> impl Fn(StoreError) -> StoreError {
    move |error| {
        let kind = match error.kind {
            // Refused by the service, rather than by ourselves for want of credentials.
            StoreErrorKind::Denied(text) if text.contains("HTTP 403") => {
                StoreErrorKind::Denied(format!("{text}; this needs {permission}"))
            }
            kind => kind,
        };
        StoreError { kind, ..error }
    }
}
