//! Multipart uploads that were left behind. They are invisible to a listing and paid for until aborted.

use super::super::StoreError;
use super::bucket::Bucket;

/// The key in the bucket and the upload id of every unfinished upload below a folder.
///
/// MinIO lists an upload only when the prefix is its whole key, so on MinIO this finds none; MinIO removes unfinished
/// uploads by itself after 24 hours.
pub async fn unfinished(bucket: &Bucket, folder: &str) -> Result<Vec<(String, String)>, StoreError> {
    let mut found = Vec::new();
    let (mut key_marker, mut id_marker) = (None, None);
    loop {
        let page = bucket
            .client
            .list_multipart_uploads()
            .bucket(&bucket.settings.bucket)
            .prefix(bucket.folder(folder))
            .set_key_marker(key_marker.take())
            .set_upload_id_marker(id_marker.take())
            .send()
            .await
            .map_err(|error| bucket.error("list the uploads of", folder, &error))?;
        for upload in page.uploads() {
            if let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) {
                found.push((key.to_owned(), id.to_owned()));
            }
        }
        if page.is_truncated() != Some(true) || page.next_key_marker().is_none() {
            return Ok(found);
        }
        (key_marker, id_marker) = (page.next_key_marker, page.next_upload_id_marker);
    }
}

/// Aborts every unfinished upload below a folder; returns how many.
pub async fn sweep(bucket: &Bucket, folder: &str) -> Result<usize, StoreError> {
    let found = unfinished(bucket, folder).await?;
    for (key, id) in &found {
        bucket.abort(key, id).await?;
    }
    Ok(found.len())
}
