//! Where copies live: a directory or a bucket, behind one small trait.
//!
//! A store knows keys and bytes, nothing of backups. What a key means stands in [`crate::archive`]. Two promises carry
//! everything above: an object that [`Upload::finish`] has reported is durable and whole under its key, and an object
//! whose upload was aborted, or cut by a crash, never appears under its key.

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncRead;

use crate::config::StoreName;

mod error;
mod local;
mod open;
mod probe;
mod s3;
mod transfer;
mod whole;

pub use error::{StoreError, StoreErrorKind};
pub use local::LocalStore;
pub use open::open;
pub use s3::S3Store;
pub use transfer::copy;
pub use whole::read_whole;

/// Where an object is in a store, relative to the store's root or prefix: `app/20261120T020000Z-3f9c1a/manifest.json`.
/// Segments are separated by `/`; none is empty, `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// A key of these parts. The parts come from checked names and ids.
    pub fn new(parts: &[&str]) -> Self {
        debug_assert!(parts.iter().all(|part| !part.is_empty() && !part.split('/').any(|p| p == "." || p == "..")));
        Self(parts.join("/"))
    }

    /// The key that a store's listing spells so; `None`: it is no key of ours (an empty, `.` or `..` segment).
    pub fn parse(text: &str) -> Option<Self> {
        let fine = text.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains('\0'));
        fine.then(|| Self(text.to_owned()))
    }

    /// The key of the next segments of this object: `data.dump.zst` → `data.dump.zst.001`. Segment 0 is the key itself.
    pub fn segment(&self, number: u32) -> Self {
        if number == 0 { self.clone() } else { Self(format!("{}.{number:03}", self.0)) }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: ObjectKey,
    /// Its size as the store tells it.
    pub bytes: u64,
}

/// A stream of an object's bytes.
pub type ObjectReader = Pin<Box<dyn AsyncRead + Send>>;

/// A place for objects. All methods may be cancelled at any await.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// Its name in the configuration.
    fn name(&self) -> &StoreName;

    /// Begins an object of unknown size. An object that outgrows the store's limits goes on in further segments
    /// ([`ObjectKey::segment`]); their bytes in order are the object.
    async fn begin(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError>;

    /// Writes a small object whole, durably, replacing what is there.
    async fn put(&self, key: &ObjectKey, bytes: Bytes) -> Result<(), StoreError>;

    /// Writes a small object unless the key exists. `false`: it exists.
    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<bool, StoreError>;

    /// Reads a small object whole; `None`: it is not there.
    async fn get(&self, key: &ObjectKey) -> Result<Option<Bytes>, StoreError>;

    /// Streams one object (not its further segments) from an offset.
    async fn read(&self, key: &ObjectKey, offset: u64) -> Result<ObjectReader, StoreError>;

    /// What the store knows of an object; `None`: it is not there.
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectInfo>, StoreError>;

    /// Every object whose key begins with `folder` and a `/` (the empty folder: every object), by key. Unfinished
    /// uploads are not objects.
    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>, StoreError>;

    /// Deletes an object; one that is not there is deleted already.
    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError>;

    /// Removes what unfinished uploads have left below a folder (temporary files, multipart uploads) and, once the
    /// folder is empty, the folder itself. Returns how many it removed. Never removes an object. An upload into a bucket
    /// that is still going on is aborted as well, so the caller must know that nobody writes below the folder.
    async fn sweep(&self, folder: &str) -> Result<usize, StoreError>;

    /// Writes, reads back and deletes a probe object, and checks what else an upload will need.
    async fn probe(&self) -> Result<(), StoreError>;

    /// Waits for what dropped uploads are still cleaning up, at most about a minute. To be called before the process
    /// ends; the store can be used afterwards all the same.
    async fn close(&self) {}
}

/// An object being written.
#[async_trait]
pub trait Upload: Send {
    /// Takes the next bytes; returns when there is room for more, not when they are stored. After a write that failed
    /// or was cancelled there may be a hole, so such an upload takes no more and cannot be finished.
    async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError>;

    /// Makes the object durable, checks what the store says it holds against what was sent, and makes it appear.
    async fn finish(self: Box<Self>) -> Result<Stored, StoreError>;

    /// Gives the object up and removes what was sent of it, as far as the store can be reached.
    async fn abort(self: Box<Self>);
}

/// What [`Upload::finish`] reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The sizes of the object's segments, the first under the key itself; their sum is what was written.
    pub segments: Vec<u64>,
}

impl Stored {
    /// The object's size.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().sum()
    }
}
