//! One multipart upload: equal parts, several on their way at once, each repeated by itself until the service has it.

use std::sync::Arc;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::super::{ObjectKey, StoreError, StoreErrorKind};
use super::bucket::{Bucket, CLEAN_UP};
use super::checksum::{self, Sum};
use super::retry::patiently;

/// A multipart upload. Dropped before [`Self::complete`] has returned, it aborts itself in the background.
pub struct Multipart {
    target: Target,
    parts: Vec<Sent>,
    in_flight: JoinSet<Result<(Sent, Bytes), StoreError>>,
    started: i32,
    bytes: u64,
    /// Completion was asked for, so there may be an object.
    completing: bool,
    over: bool,
}

#[derive(Clone)]
struct Target {
    bucket: Arc<Bucket>,
    key: ObjectKey,
    upload_id: Arc<str>,
}

/// A part that the service has.
struct Sent {
    number: i32,
    sum: Sum,
    etag: Option<String>,
    crc32c: Option<String>,
}

impl Multipart {
    /// Asks the service for an upload. The request runs to its end even if this is dropped, so that the upload it may
    /// have made is aborted.
    pub async fn begin(bucket: &Arc<Bucket>, key: ObjectKey) -> Result<Self, StoreError> {
        let (tell, told) = oneshot::channel();
        let (owner, object) = (Arc::clone(bucket), key.clone());
        bucket.cleanup.spawn_on(
            async move {
                // Nobody there to be told: the upload is dropped with the answer, and aborts itself.
                let _ = tell.send(Self::create(owner, object).await);
            },
            &bucket.runtime,
        );
        match told.await {
            Ok(begun) => begun,
            Err(_) => {
                let kind = StoreErrorKind::Other("the process is ending".to_owned());
                Err(bucket.fail("write", key.as_str(), kind))
            }
        }
    }

    async fn create(bucket: Arc<Bucket>, key: ObjectKey) -> Result<Self, StoreError> {
        let upload_id = patiently(bucket.settings.request_timeout, || async {
            let request = bucket
                .client
                .create_multipart_upload()
                .bucket(&bucket.settings.bucket)
                .key(bucket.key(&key))
                .set_server_side_encryption(bucket.encryption())
                .set_ssekms_key_id(bucket.settings.kms_key_id.clone())
                .set_storage_class(bucket.storage_class())
                .set_checksum_algorithm(bucket.crc().then_some(ChecksumAlgorithm::Crc32C));
            let answer = request.send().await.map_err(|error| bucket.error("write", key.as_str(), &error))?;
            answer.upload_id.ok_or_else(|| {
                let kind = StoreErrorKind::Other("the service gave no upload id".to_owned());
                bucket.fail("write", key.as_str(), kind)
            })
        })
        .await?;
        Ok(Self {
            target: Target { bucket, key, upload_id: upload_id.into() },
            parts: Vec::new(),
            in_flight: JoinSet::new(),
            started: 0,
            bytes: 0,
            completing: false,
            over: false,
        })
    }

    /// How many parts were handed over.
    pub fn started(&self) -> u32 {
        self.started.unsigned_abs()
    }

    /// The service's name for the upload.
    pub fn upload_id(&self) -> Arc<str> {
        Arc::clone(&self.target.upload_id)
    }

    /// Sends a part; waits first while the most allowed are on their way. Returns the memory of parts that have arrived.
    pub async fn send(&mut self, bytes: Bytes) -> Result<Vec<Bytes>, StoreError> {
        let mut free = Vec::new();
        let limit = self.target.bucket.settings.concurrency.max(1);
        while self.in_flight.len() >= limit {
            self.arrived(&mut free).await?;
        }
        self.started += 1;
        self.bytes += bytes.len() as u64;
        let (target, number) = (self.target.clone(), self.started);
        self.in_flight.spawn(async move {
            let sum = checksum::md5(&bytes).await;
            let sent = patiently(target.bucket.settings.request_timeout, || target.part(number, &bytes, sum)).await?;
            Ok((sent, bytes))
        });
        Ok(free)
    }

    /// Waits for a part to arrive.
    async fn arrived(&mut self, free: &mut Vec<Bytes>) -> Result<(), StoreError> {
        match self.in_flight.join_next().await {
            None => Ok(()),
            Some(Ok(Ok((sent, bytes)))) => {
                self.parts.push(sent);
                free.push(bytes);
                Ok(())
            }
            Some(Ok(Err(error))) => Err(error),
            Some(Err(panic)) => Err(self.target.fail(StoreErrorKind::Other(panic.to_string()))),
        }
    }

    /// Waits for the parts, puts them together, and compares what the service says with what was sent. Returns the
    /// object's size.
    pub async fn complete(&mut self) -> Result<u64, StoreError> {
        while !self.in_flight.is_empty() {
            self.arrived(&mut Vec::new()).await?;
        }
        self.parts.sort_by_key(|part| part.number);
        let target = self.target.clone();
        self.completing = true;
        let patience = target.bucket.settings.request_timeout;
        let missing = patiently(patience, || target.put_together(&self.parts)).await?;
        let etag = checksum::composite_etag(self.parts.iter().map(|part| part.sum));
        match target.bucket.verify(&target.key, self.bytes, &etag).await {
            // An answer that was lost, and the repeated request found the upload completed: the object decides.
            Err(error) if missing && matches!(error.kind, StoreErrorKind::Mismatch(_)) => {
                Err(target.fail(StoreErrorKind::Unavailable("the service has forgotten the upload".to_owned())))
            }
            Err(error) => Err(error),
            Ok(()) => {
                self.over = true;
                Ok(self.bytes)
            }
        }
    }

    /// Ends the upload and waits for that.
    pub async fn abort(mut self) {
        self.in_flight.shutdown().await;
        if let Ok(true) = tokio::time::timeout(CLEAN_UP, self.target.give_up(self.completing)).await {
            self.over = true;
        }
    }
}

impl Drop for Multipart {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let (target, completing) = (self.target.clone(), self.completing);
        let mut in_flight = std::mem::take(&mut self.in_flight);
        self.target.bucket.clean_up(async move {
            in_flight.shutdown().await;
            target.give_up(completing).await;
        });
    }
}

impl Target {
    fn fail(&self, kind: StoreErrorKind) -> StoreError {
        self.bucket.fail("write", self.key.as_str(), kind)
    }

    /// One attempt at one part.
    async fn part(&self, number: i32, bytes: &Bytes, sum: Sum) -> Result<Sent, StoreError> {
        let bucket = &self.bucket;
        let request = bucket
            .client
            .upload_part()
            .bucket(&bucket.settings.bucket)
            .key(bucket.key(&self.key))
            .upload_id(self.upload_id.as_ref())
            .part_number(number)
            .body(ByteStream::from(bytes.clone()));
        let request = if bucket.crc() {
            request.checksum_algorithm(ChecksumAlgorithm::Crc32C)
        } else {
            request.content_md5(checksum::content_md5(&sum))
        };
        let request = request.customize().config_override(Bucket::once());
        let request = if bucket.unsigned_payload() { request.disable_payload_signing() } else { request };
        let answer = request.send().await.map_err(|error| bucket.error("write", self.key.as_str(), &error))?;
        let expected = checksum::etag(&sum);
        if checksum::contradicts(answer.e_tag(), &expected, answer.server_side_encryption()) {
            let found = answer.e_tag().unwrap_or_default();
            let text = format!("the ETag of part {number} should be {expected}, it is {found}");
            return Err(self.fail(StoreErrorKind::Mismatch(text)));
        }
        Ok(Sent { number, sum, etag: answer.e_tag, crc32c: answer.checksum_crc32_c })
    }

    /// `true`: the service does not know the upload (any more).
    async fn put_together(&self, parts: &[Sent]) -> Result<bool, StoreError> {
        let parts = parts.iter().map(|part| {
            CompletedPart::builder()
                .part_number(part.number)
                .set_e_tag(part.etag.clone())
                .set_checksum_crc32_c(part.crc32c.clone())
                .build()
        });
        let bucket = &self.bucket;
        let request = bucket
            .client
            .complete_multipart_upload()
            .bucket(&bucket.settings.bucket)
            .key(bucket.key(&self.key))
            .upload_id(self.upload_id.as_ref())
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build());
        match request.customize().config_override(bucket.unhurried()).send().await {
            Ok(_) => Ok(false),
            Err(error) if error.as_service_error().and_then(|e| e.code()) == Some("NoSuchUpload") => Ok(true),
            Err(error) => Err(bucket.error("complete", self.key.as_str(), &error)),
        }
    }

    /// Removes what the service has. `false`: it could not be reached; a sweep will do it.
    async fn give_up(&self, completing: bool) -> bool {
        let aborted = self.bucket.abort(&self.bucket.key(&self.key), &self.upload_id).await;
        let deleted = if completing { self.bucket.delete(&self.key).await } else { Ok(()) };
        for error in [&aborted, &deleted].into_iter().filter_map(|done| done.as_ref().err()) {
            tracing::warn!(error = %error, "an upload that was given up could not be removed; the next sweep will");
        }
        aborted.is_ok() && deleted.is_ok()
    }
}
