//! Downloads. A cut one goes on where it stopped, and never with another object's bytes.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures::stream;
use tokio_util::io::StreamReader;

use super::super::{ObjectKey, ObjectReader, StoreError, StoreErrorKind};
use super::bucket::Bucket;

/// Resumptions without a byte in between after which a download fails.
const RESUMPTIONS: u32 = 6;

/// Reads a small object whole; `None`: it is not there.
pub async fn get(bucket: &Arc<Bucket>, key: &ObjectKey) -> Result<Option<Bytes>, StoreError> {
    let mut download = match Download::open(bucket, key, 0).await {
        Ok(download) => download,
        Err(error) if error.kind == StoreErrorKind::NoObject => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = download.next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(Bytes::from(bytes)))
}

/// Streams an object from an offset.
pub async fn read(bucket: &Arc<Bucket>, key: &ObjectKey, offset: u64) -> Result<ObjectReader, StoreError> {
    let download = Download::open(bucket, key, offset).await?;
    let chunks = stream::try_unfold(download, |mut download| async move {
        let chunk = download.next().await.map_err(StoreError::into_io)?;
        Ok::<_, std::io::Error>(chunk.map(|chunk| (chunk, download)))
    });
    Ok(Box::pin(StreamReader::new(Box::pin(chunks))))
}

struct Download {
    bucket: Arc<Bucket>,
    key: ObjectKey,
    etag: Option<String>,
    offset: u64,
    /// The object's size, as the first answer has it.
    size: u64,
    body: Option<ByteStream>,
    resumptions: u32,
}

impl Download {
    async fn open(bucket: &Arc<Bucket>, key: &ObjectKey, offset: u64) -> Result<Self, StoreError> {
        let mut download = Self {
            bucket: Arc::clone(bucket),
            key: key.clone(),
            etag: None,
            offset,
            size: offset,
            body: None,
            resumptions: 0,
        };
        let answer = match download.request().await? {
            Some(answer) => answer,
            None => return Ok(download),
        };
        let Some(length) = answer.content_length().and_then(|n| u64::try_from(n).ok()) else {
            let text = "the service does not say how long the object is".to_owned();
            return Err(download.fail(StoreErrorKind::Other(text)));
        };
        download.size = offset + length;
        download.etag = answer.e_tag;
        download.body = Some(answer.body);
        Ok(download)
    }

    /// Asks for the object from the offset on. `None`: it ends there.
    async fn request(&self) -> Result<Option<GetObjectOutput>, StoreError> {
        let request = self
            .bucket
            .client
            .get_object()
            .bucket(&self.bucket.settings.bucket)
            .key(self.bucket.key(&self.key))
            .set_if_match(self.etag.clone())
            .set_range((self.offset > 0).then(|| format!("bytes={}-", self.offset)));
        let error = match request.send().await {
            Ok(answer) => {
                let expected = format!("bytes {}-", self.offset);
                if self.offset > 0 && !answer.content_range().is_some_and(|range| range.starts_with(&expected)) {
                    let text = "the service does not answer ranged reads".to_owned();
                    return Err(self.fail(StoreErrorKind::Other(text)));
                }
                // Not every service knows If-Match.
                if self.etag.is_some() && answer.e_tag() != self.etag.as_deref() {
                    return Err(self.replaced());
                }
                return Ok(Some(answer));
            }
            Err(error) => error,
        };
        match error.raw_response().map(|raw| raw.status().as_u16()) {
            Some(416) => Ok(None),
            Some(412) => Err(self.replaced()),
            _ => Err(self.bucket.error("read", self.key.as_str(), &error)),
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            if self.offset == self.size {
                return Ok(None);
            }
            match self.take().await {
                Ok(Some(chunk)) => {
                    self.resumptions = 0;
                    self.offset += chunk.len() as u64;
                    if self.offset > self.size {
                        return Err(self.fail(StoreErrorKind::Mismatch("more bytes came than announced".to_owned())));
                    }
                    return Ok(Some(chunk));
                }
                Ok(None) => self.resume("it ended early").await?,
                Err(why) => self.resume(&why).await?,
            }
        }
    }

    /// The body's next bytes, within the request's time-out.
    async fn take(&mut self) -> Result<Option<Bytes>, String> {
        let Some(body) = &mut self.body else { return Ok(None) };
        let limit = self.bucket.settings.request_timeout;
        match tokio::time::timeout(limit, body.try_next()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(crate::fault::chain(&error)),
            Err(_) => Err(format!("no byte came for {} s", limit.as_secs())),
        }
    }

    async fn resume(&mut self, why: &str) -> Result<(), StoreError> {
        self.body = None;
        self.resumptions += 1;
        let (offset, size) = (self.offset, self.size);
        if self.resumptions > RESUMPTIONS {
            let text = format!("the download stopped at byte {offset} of {size}: {why}");
            return Err(self.fail(StoreErrorKind::Unavailable(text)));
        }
        tracing::debug!(store = %self.bucket.store, key = %self.key, offset, why, "a cut download is resumed");
        tokio::time::sleep(Duration::from_millis(100 << self.resumptions)).await;
        match self.request().await {
            Ok(Some(answer)) => self.body = Some(answer.body),
            Ok(None) => {
                return Err(
                    self.fail(StoreErrorKind::Mismatch(format!("{size} bytes were announced, it has {offset}")))
                );
            }
            // Counts as one more resumption.
            Err(error) if super::fault::passing(&error.kind) && !matches!(error.kind, StoreErrorKind::Mismatch(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn replaced(&self) -> StoreError {
        self.fail(StoreErrorKind::Mismatch("the object was replaced while it was read".to_owned()))
    }

    fn fail(&self, kind: StoreErrorKind) -> StoreError {
        self.bucket.fail("read", self.key.as_str(), kind)
    }
}
