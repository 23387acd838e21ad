//! A backup in a store, to be read: its manifest, and its objects as plain bytes.

use std::io::{self, Read};
use std::sync::Arc;

use tokio_util::io::SyncIoBridge;
use tokio_util::sync::CancellationToken;

use super::trouble::{self, Trouble};
use crate::archive::codec::{CodecError, Decoded, Decoder, Identities, ObjectName};
use crate::archive::manifest::{FORMAT_VERSION, Manifest, Object};
use crate::backup::{MANIFEST, object_key};
use crate::config::{Config, StoreName};
use crate::run::{Failure, Progress};
use crate::state::Backup;
use crate::store::{self, Store, StoreError};

/// What is read at once.
const READ: usize = 256 * 1024;

/// A backup in one store.
#[derive(Debug, Clone)]
pub struct BackupSource {
    /// Its manifest, as it stands in that store.
    pub manifest: Manifest,
    /// The store.
    pub store: Arc<dyn Store>,
}

impl BackupSource {
    /// Opens a backup in this store.
    ///
    /// # Errors
    ///
    /// [`Trouble::Bad`]: its manifest is gone from there, or is not its manifest.
    pub async fn open(backup: &Backup, name: &StoreName, config: &Config) -> Result<Self, Trouble> {
        let settings =
            config.stores.get(name).ok_or_else(|| Failure::new(format!("store {name} is not in the configuration")))?;
        let store = store::open(settings).await.map_err(trouble::of_store)?;
        let key = object_key(&backup.database, &backup.id, MANIFEST);
        let missing = || Trouble::bad(format!("store {name} has no {key}: the backup is gone from there"));
        let bytes = store.get(&key).await.map_err(trouble::of_store)?.ok_or_else(missing)?;
        let manifest = read_manifest(&bytes).map_err(|trouble| {
            trouble.map(|why| Failure { message: format!("{key} in store {name}: {}", why.message), ..why })
        })?;
        if manifest.id.as_str() != backup.id || manifest.database != backup.database {
            let what = format!("{key} in store {name} is the manifest of {} of {}", manifest.id, manifest.database);
            return Err(Trouble::bad(what));
        }
        Ok(Self { manifest, store })
    }

    /// The object that holds the database.
    pub fn data(&self) -> Result<&Object, Failure> {
        let found = self.manifest.objects.iter().find(|object| object.name.starts_with("data."));
        found.ok_or_else(|| Failure::new(format!("the manifest of {} names no data object", self.manifest.id)))
    }

    /// Streams an object's plain bytes into `consume` on a blocking thread, and checks sizes and hashes, to the very
    /// end, against the manifest. The bytes are only to be trusted once this has succeeded.
    pub async fn read<T: Send + 'static>(
        &self,
        object: &Object,
        identities: &Identities,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
        consume: impl FnOnce(&mut dyn Read) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Trouble> {
        let key = object_key(&self.manifest.database, self.manifest.id.as_str(), &object.name);
        let reader = store::read_whole(&self.store, &key, object.bytes).await.map_err(trouble::of_store)?;
        let (name, identities, progress) = (object.name.clone(), identities.clone(), Arc::clone(progress));
        let (cancel, runtime) = (cancel.clone(), tokio::runtime::Handle::current());
        let (store, path) = (self.store.name().clone(), key.to_string());
        let work = tokio::task::spawn_blocking(move || {
            let inner = SyncIoBridge::new_with_handle(reader, runtime);
            let bridge = Watched { inner, store, key: path, progress, cancel };
            let mut decoder = Decoder::new(ObjectName::parse(&name), &identities, bridge)?;
            let consumed = match consume(&mut decoder).map_err(io::Error::downcast::<CodecError>) {
                // The decoder's own error tells more than what it did to the consumer.
                Err(Ok(damage)) => return Err(damage),
                Err(Err(error)) if error.get_ref().is_some_and(|inner| inner.is::<StoreError>()) => {
                    return Err(CodecError::Read(error));
                }
                Err(Err(error)) => Err(error),
                Ok(consumed) => Ok(consumed),
            };
            Ok::<_, CodecError>((consumed, decoder.finish()?))
        });
        let place = format!("{key} in store {}", self.store.name());
        let (consumed, decoded) =
            work.await.map_err(|panic| Failure::new(format!("a bug: {panic}")))?.map_err(|error| {
                let at_place =
                    |failure: Failure| Failure { message: format!("{place}: {}", failure.message), ..failure };
                trouble::of_codec(error).map(at_place)
            })?;
        check(object, &decoded).map_err(|why| Trouble::bad(format!("{place}: {why}")))?;
        consumed.map_err(|error| Trouble::Unseen(Failure::new(format!("{place}: {error}"))))
    }

    /// Checks an object's stored bytes only: for encrypted objects without a key.
    pub async fn check_stored(
        &self,
        object: &Object,
        progress: &Arc<Progress>,
        cancel: &CancellationToken,
    ) -> Result<(), Trouble> {
        use sha2::{Digest, Sha256};
        let key = object_key(&self.manifest.database, self.manifest.id.as_str(), &object.name);
        let reader = store::read_whole(&self.store, &key, object.bytes).await.map_err(trouble::of_store)?;
        let (cancel, progress, runtime) = (cancel.clone(), Arc::clone(progress), tokio::runtime::Handle::current());
        let (store, path) = (self.store.name().clone(), key.to_string());
        let hashed = tokio::task::spawn_blocking(move || {
            let inner = SyncIoBridge::new_with_handle(reader, runtime);
            let mut reader = Watched { inner, store, key: path, progress, cancel };
            let (mut buffer, mut hash) = (vec![0; READ], Sha256::new());
            loop {
                match reader.read(&mut buffer)? {
                    0 => return Ok::<_, io::Error>(hex::encode(hash.finalize())),
                    length => hash.update(&buffer[..length]),
                }
            }
        });
        let place = format!("{key} in store {}", self.store.name());
        let found = hashed
            .await
            .map_err(|panic| Failure::new(format!("a bug: {panic}")))?
            .map_err(|error| trouble::of_store(StoreError::from_read(self.store.name(), key.as_str(), error)))?;
        if found == object.sha256 {
            Ok(())
        } else {
            Err(Trouble::bad(format!(
                "{place}: SHA-256 of the stored bytes is {found}, the manifest says {}",
                object.sha256
            )))
        }
    }
}

fn read_manifest(bytes: &[u8]) -> Result<Manifest, Trouble> {
    #[derive(serde::Deserialize)]
    struct Version {
        format_version: u32,
    }
    let version: Version =
        serde_json::from_slice(bytes).map_err(|error| Trouble::bad(format!("not a manifest: {error}")))?;
    if version.format_version > FORMAT_VERSION {
        let found = version.format_version;
        let text = format!("written in format {found} by a newer Caretaker; this one reads up to {FORMAT_VERSION}");
        return Err(Trouble::Unseen(Failure::new(text).hint("use that Caretaker, or a newer one")));
    }
    serde_json::from_slice(bytes).map_err(|error| Trouble::bad(format!("the manifest cannot be read: {error}")))
}

fn check(object: &Object, decoded: &Decoded) -> Result<(), String> {
    let pairs = [
        ("stored size", object.bytes.to_string(), decoded.stored_bytes.to_string()),
        ("SHA-256 of the stored bytes", object.sha256.clone(), decoded.stored_sha256.clone()),
        ("plain size", object.plain_bytes.to_string(), decoded.plain_bytes.to_string()),
        ("SHA-256 of the plain bytes", object.plain_sha256.clone(), decoded.plain_sha256.clone()),
    ];
    match pairs.into_iter().find(|(_, expected, found)| expected != found) {
        None => Ok(()),
        Some((what, expected, found)) => Err(format!("{what} is {found}, the manifest says {expected}")),
    }
}

/// Counts what passes, and fails when the work is cancelled.
struct Watched<R> {
    inner: R,
    store: StoreName,
    key: String,
    progress: Arc<Progress>,
    cancel: CancellationToken,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        // Marked as the store's, so that it is not taken for the consumer's.
        let failed = |error| io::Error::other(StoreError::from_read(&self.store, &*self.key, error));
        let length = self.inner.read(buffer).map_err(failed)?;
        self.progress.add_in(length as u64);
        Ok(length)
    }
}
