//! Archives written: rows in, one whole object out, read back before anybody relies on it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use super::{MANIFEST, Manifest, STORE_WITHIN, folder, open, slug};
use crate::archive::BackupId;
use crate::archive::codec::{EncodeSpec, Encoder, Recipient, object_name};
use crate::archive::manifest::Object;
use crate::config::{Compression, Config, StoreName};
use crate::run::Failure;
use crate::store::{ObjectKey, Store, StoreError, Upload, read_whole};

const COMPRESSION: Compression = Compression::Zstd(3);

/// How long a store may take for what it is given at once, or for giving all of it back.
const MOVED_WITHIN: Duration = Duration::from_secs(600);

/// What lies there without a manifest for so long was cut off and belongs to nobody.
const LEFT_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// Where the archives of one rule lie.
pub struct Shelf {
    store: Arc<dyn Store>,
    folder: String,
    recipients: Vec<Recipient>,
}

impl Shelf {
    /// The shelf of a rule in a store; what is put there can be opened by these recipients only.
    pub async fn open(
        config: &Config,
        store: &StoreName,
        (policy, rule): (&str, &str),
        recipients: Vec<Recipient>,
    ) -> Result<Self, Failure> {
        if recipients.is_empty() {
            return Err(Failure::new("an archive is not written in clear"));
        }
        let store = open(config, store).await?;
        Ok(Self { store, folder: format!("{}/{}", folder(policy), slug(rule)), recipients })
    }

    /// Removes what writers that were cut off have left.
    pub async fn clear_up(&self, now: Timestamp) -> Result<(), Failure> {
        within(STORE_WITHIN, async {
            let objects = self.store.list(&self.folder).await?;
            let manifests: Vec<&str> =
                objects.iter().filter_map(|object| object.key.as_str().strip_suffix(MANIFEST)).collect();
            for object in &objects {
                let key = object.key.as_str();
                let id = key.strip_prefix(&self.folder).and_then(|rest| rest.trim_start_matches('/').split('/').next());
                let is_old = id.and_then(began).is_some_and(|began| now.duration_since(began) > LEFT_AFTER);
                if is_old && !manifests.iter().any(|manifest| key.starts_with(manifest)) {
                    self.store.delete(&object.key).await?;
                }
            }
            // Nobody else writes here: policies are applied by one process at a time.
            self.store.sweep(&self.folder).await.map(drop)
        })
        .await
    }

    /// Begins an archive. It does not exist before [`Volume::finish`].
    pub async fn begin(&self, now: Timestamp) -> Result<Volume, Failure> {
        let id = BackupId::new(now);
        let name = object_name("rows.jsonl", COMPRESSION, true);
        let key = ObjectKey::new(&[&self.folder, id.as_str(), &name]);
        let upload = within(MOVED_WITHIN, self.store.begin(&key)).await?;
        let done = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&done);
        let spec = EncodeSpec { compression: COMPRESSION, recipients: self.recipients.clone(), threads: 1 };
        let encoder = Encoder::new(
            &spec,
            Box::new(move |chunk: Bytes| {
                sink.lock().unwrap_or_else(PoisonError::into_inner).push(chunk);
                Ok(())
            }) as Sink,
        );
        let encoder = Some(encoder.map_err(unprocessed)?);
        let (store, folder) = (Arc::clone(&self.store), self.folder.clone());
        let recipients = self.recipients.iter().map(ToString::to_string).collect();
        Ok(Volume { id, store, folder, name, key, upload, encoder, done, rows: 0, recipients })
    }

    /// Takes an archive away again: the manifest first.
    pub async fn remove(&self, id: &BackupId) -> Result<(), Failure> {
        within(MOVED_WITHIN, remove(self.store.as_ref(), &format!("{}/{id}", self.folder))).await
    }

    /// Waits for what the store is still cleaning up.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// Removes an archive's folder: the manifest first, so that it does not exist any more.
pub(super) async fn remove(store: &dyn Store, folder: &str) -> Result<(), StoreError> {
    store.delete(&ObjectKey::new(&[folder, MANIFEST])).await?;
    for object in store.list(folder).await? {
        store.delete(&object.key).await?;
    }
    store.sweep(folder).await?;
    Ok(())
}

/// When an archive was begun, by its id.
fn began(id: &str) -> Option<Timestamp> {
    id.parse::<BackupId>().ok()?;
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", id.split_once('-')?.0).ok()?;
    time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp())
}

type Sink = Box<dyn FnMut(Bytes) -> io::Result<()> + Send>;

/// An archive being written. Dropped, nothing of it appears.
pub struct Volume {
    /// Its id.
    pub id: BackupId,
    store: Arc<dyn Store>,
    folder: String,
    name: String,
    key: ObjectKey,
    upload: Box<dyn Upload>,
    encoder: Option<Encoder<Sink>>,
    done: Arc<Mutex<Vec<Bytes>>>,
    rows: u64,
    recipients: Vec<String>,
}

impl Volume {
    /// Takes rows, each a line with its end.
    pub async fn push(&mut self, lines: Vec<u8>, rows: u64) -> Result<(), Failure> {
        let Some(mut encoder) = self.encoder.take() else { return Err(Failure::new("an earlier write failed")) };
        let encoded = tokio::task::spawn_blocking(move || {
            let written = encoder.write(&lines);
            (encoder, written)
        });
        let (encoder, written) = encoded.await.map_err(|panic| Failure::new(panic.to_string()))?;
        written.map_err(unprocessed)?;
        self.encoder = Some(encoder);
        self.rows += rows;
        self.drain().await
    }

    /// How many bytes of rows it has taken.
    pub fn plain_bytes(&self) -> u64 {
        self.encoder.as_ref().map_or(0, Encoder::plain_bytes)
    }

    async fn drain(&mut self) -> Result<(), Failure> {
        let chunks = std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner));
        for chunk in chunks {
            within(MOVED_WITHIN, self.upload.write(chunk)).await?;
        }
        Ok(())
    }

    /// Completes it: the rows' object is stored, read back and compared, then its manifest. `describe` says the rest.
    ///
    /// # Errors
    ///
    /// When the store does not take it, or gives something else back. Then there is no archive.
    pub async fn finish(
        mut self,
        describe: impl FnOnce(BackupId, u64, Object, Vec<String>) -> Manifest,
    ) -> Result<Manifest, Failure> {
        let Some(encoder) = self.encoder.take() else { return Err(Failure::new("an earlier write failed")) };
        let encoded = tokio::task::spawn_blocking(move || encoder.finish()).await;
        let encoded = encoded.map_err(|panic| Failure::new(panic.to_string()))?.map_err(unprocessed)?;
        self.drain().await?;
        within(MOVED_WITHIN, self.upload.finish()).await?;
        let object = Object {
            name: self.name,
            bytes: encoded.stored_bytes,
            sha256: encoded.stored_sha256,
            plain_bytes: encoded.plain_bytes,
            plain_sha256: encoded.plain_sha256,
        };
        let held = within(MOVED_WITHIN, read_back(&self.store, &self.key, object.bytes)).await?;
        if held != object.sha256 {
            let message =
                format!("store {} gives other bytes of {} back than it was given", self.store.name(), self.key);
            return Err(Failure::new(message).hint("do not trust it before this is explained"));
        }
        let manifest = describe(self.id, self.rows, object, self.recipients);
        let text = serde_json::to_string_pretty(&manifest).map_err(|error| Failure::new(error.to_string()))?;
        let key = ObjectKey::new(&[&self.folder, manifest.id.as_str(), MANIFEST]);
        match within(STORE_WITHIN, self.store.put_new(&key, Bytes::from(text + "\n"))).await? {
            true => Ok(manifest),
            false => Err(Failure::new(format!("{key} is there already"))),
        }
    }

    /// Gives it up.
    pub async fn abort(self) {
        let _ = tokio::time::timeout(STORE_WITHIN, self.upload.abort()).await;
    }
}

async fn read_back(store: &Arc<dyn Store>, key: &ObjectKey, bytes: u64) -> Result<String, StoreError> {
    let mut reader = read_whole(store, key, bytes).await?;
    let (mut hasher, mut buffer) = (Sha256::new(), BytesMut::with_capacity(256 * 1024));
    loop {
        buffer.clear();
        let read = reader.read_buf(&mut buffer).await;
        match read.map_err(|error| StoreError::from_read(store.name(), key.as_str(), error))? {
            0 => return Ok(hex::encode(hasher.finalize())),
            _ => hasher.update(&buffer),
        }
    }
}

pub(super) async fn within<T>(
    longest: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(longest, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Failure::new(format!("the store did not answer within {} s", longest.as_secs())).retryable()),
    }
}

fn unprocessed(error: io::Error) -> Failure {
    Failure::new(format!("the rows could not be processed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_when_it_was_begun() {
        let at: Timestamp = "2026-11-20T15:00:07Z".parse().unwrap_or_default();
        assert_eq!(began(BackupId::new(at).as_str()), Some(at));
        for no in ["manifest.json", "20261120T150007Z", "..", ""] {
            assert_eq!(began(no), None, "{no}");
        }
    }
}
