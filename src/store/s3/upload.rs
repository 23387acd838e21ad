//! An object on its way into a bucket: collected into parts, sent as one request if it stays smaller than a part, else
//! as a multipart upload, and as several objects beyond the service's limits.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::super::{ObjectKey, StoreError, StoreErrorKind, Stored, Upload};
use super::bucket::{Bucket, CLEAN_UP};
use super::multipart::Multipart;
use super::put;

/// The largest object of S3, 5 TiB: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const MAX_OBJECT: u64 = 5 << 40;
/// First size of a part's buffer, which grows as the object does: most objects are smaller than a part.
const FIRST_BUFFER: usize = 256 * 1024;

/// An object being written into a bucket. Dropped before [`Upload::finish`] has returned, it removes what it has sent,
/// in the background.
pub struct S3Upload {
    bucket: Arc<Bucket>,
    key: ObjectKey,
    /// The part being filled. With those on their way there are `concurrency` + 1.
    buffer: Vec<u8>,
    /// The memory of parts that have arrived.
    spare: Vec<Vec<u8>>,
    multipart: Option<Multipart>,
    /// Segments that are complete.
    stored: Vec<u64>,
    /// The one request of a small object is on its way.
    putting: bool,
    /// A write failed or was cancelled.
    failed: bool,
    finished: bool,
}

impl S3Upload {
    /// Begins; nothing is sent.
    pub fn new(bucket: Arc<Bucket>, key: ObjectKey) -> Self {
        Self {
            bucket,
            key,
            buffer: Vec::new(),
            spare: Vec::new(),
            multipart: None,
            stored: Vec::new(),
            putting: false,
            failed: false,
            finished: false,
        }
    }

    fn part_size(&self) -> usize {
        usize::try_from(self.bucket.settings.part_size).unwrap_or(usize::MAX).max(1)
    }

    fn max_parts(&self) -> u32 {
        let by_size = MAX_OBJECT / self.bucket.settings.part_size.max(1);
        self.bucket.settings.max_parts.min(u32::try_from(by_size).unwrap_or(u32::MAX)).max(1)
    }

    fn segment(&self) -> ObjectKey {
        self.key.segment(u32::try_from(self.stored.len()).unwrap_or(u32::MAX))
    }

    /// Copies as much of the chunk as the part has room for.
    fn fill(&mut self, chunk: &mut Bytes) {
        let part_size = self.part_size();
        let taken = chunk.split_to(chunk.len().min(part_size - self.buffer.len()));
        let needed = self.buffer.len() + taken.len();
        if needed > self.buffer.capacity() {
            if self.buffer.is_empty()
                && let Some(spare) = self.spare.pop()
            {
                self.buffer = spare;
            }
            // Doubling by hand, since Vec would go beyond the part's size.
            let capacity = (self.buffer.capacity() * 2).clamp(FIRST_BUFFER.min(part_size), part_size).max(needed);
            self.buffer.reserve_exact(capacity - self.buffer.len());
        }
        self.buffer.extend_from_slice(&taken);
    }

    /// Sends the full part. A segment that has all the parts it may have is completed first.
    async fn ship(&mut self) -> Result<(), StoreError> {
        if self.multipart.as_ref().is_some_and(|multipart| multipart.started() >= self.max_parts()) {
            self.complete_segment().await?;
        }
        if self.multipart.is_none() {
            self.multipart = Some(Multipart::begin(&self.bucket, self.segment()).await?);
        }
        if let Some(multipart) = &mut self.multipart {
            let part = Bytes::from(std::mem::take(&mut self.buffer));
            for free in multipart.send(part).await? {
                if let Ok(memory) = free.try_into_mut() {
                    let mut memory = Vec::from(memory);
                    memory.clear();
                    self.spare.push(memory);
                }
            }
        }
        Ok(())
    }

    async fn complete_segment(&mut self) -> Result<(), StoreError> {
        if let Some(multipart) = &mut self.multipart {
            self.stored.push(multipart.complete().await?);
            self.multipart = None;
        }
        Ok(())
    }

    async fn send_rest(&mut self) -> Result<(), StoreError> {
        if self.multipart.is_none() && self.stored.is_empty() {
            let bytes = Bytes::from(std::mem::take(&mut self.buffer));
            let size = bytes.len() as u64;
            self.putting = true;
            put::put(&self.bucket, &self.key, bytes).await?;
            self.stored.push(size);
            return Ok(());
        }
        if !self.buffer.is_empty() {
            self.ship().await?;
        }
        self.complete_segment().await
    }

    /// The objects that may be there.
    fn leftovers(&mut self) -> Vec<ObjectKey> {
        let complete = self.stored.len().max(usize::from(self.putting));
        (0..complete).map(|n| self.key.segment(u32::try_from(n).unwrap_or(u32::MAX))).collect()
    }

    /// Gives up after an error, and removes what was sent.
    async fn fail(&mut self, error: StoreError) -> StoreError {
        self.remove().await;
        error
    }

    fn failed_before(&self) -> StoreError {
        let kind = StoreErrorKind::Other("the upload has failed or was interrupted before".to_owned());
        self.bucket.fail("write", self.key.as_str(), kind)
    }

    async fn remove(&mut self) {
        if let Some(multipart) = self.multipart.take() {
            multipart.abort().await;
        }
        let leftovers = self.leftovers();
        let removed = tokio::time::timeout(CLEAN_UP, delete_all(&self.bucket, &leftovers)).await;
        self.finished = removed.is_ok();
    }
}

async fn delete_all(bucket: &Bucket, keys: &[ObjectKey]) {
    for key in keys {
        if let Err(error) = bucket.delete(key).await {
            tracing::warn!(error = %error, "a part of an object that was given up could not be deleted");
        }
    }
}

#[async_trait]
impl Upload for S3Upload {
    async fn write(&mut self, mut chunk: Bytes) -> Result<(), StoreError> {
        if self.failed {
            return Err(self.failed_before());
        }
        // Until this is through: a write that is cancelled on the way leaves a hole.
        self.failed = true;
        while !chunk.is_empty() {
            // Only when more is coming, so that the last part, however full, is known to be the last.
            if self.buffer.len() >= self.part_size()
                && let Err(error) = self.ship().await
            {
                return Err(self.fail(error).await);
            }
            self.fill(&mut chunk);
        }
        self.failed = false;
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Stored, StoreError> {
        if self.failed {
            return Err(self.failed_before());
        }
        match self.send_rest().await {
            Ok(()) => {
                self.finished = true;
                Ok(Stored { segments: std::mem::take(&mut self.stored) })
            }
            Err(error) => Err(self.fail(error).await),
        }
    }

    async fn abort(mut self: Box<Self>) {
        self.remove().await;
    }
}

impl Drop for S3Upload {
    fn drop(&mut self) {
        // The multipart upload, if there is one, sees to itself.
        let leftovers = if self.finished { Vec::new() } else { self.leftovers() };
        if !leftovers.is_empty() {
            let bucket = Arc::clone(&self.bucket);
            self.bucket.clean_up(async move { delete_all(&bucket, &leftovers).await });
        }
    }
}
