//! An object copied from one store to another.

use std::sync::Arc;

use bytes::BytesMut;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use super::{ObjectKey, Store, StoreError, StoreErrorKind, Stored, Upload, read_whole};

/// Bytes read, hashed and handed on at once: small enough that hashing them does not hold up the runtime (about 0.2 ms).
const CHUNK: usize = 256 * 1024;

/// Streams an object of `bytes` bytes from one store to another, where it is segmented by the target's own limits.
/// With `sha256` (lower-case hex, of the stored bytes) the object appears at the target only if what was read is that.
/// `moved` is told of the bytes as they go.
///
/// # Errors
///
/// The source's or the target's, told apart by [`StoreError::store`]; [`StoreErrorKind::Mismatch`] of the source when
/// it holds other bytes. Nothing is left at the target then.
pub async fn copy(
    from: &Arc<dyn Store>,
    to: &dyn Store,
    key: &ObjectKey,
    bytes: u64,
    sha256: Option<&str>,
    moved: &(dyn Fn(u64) + Sync),
) -> Result<Stored, StoreError> {
    let mut upload = to.begin(key).await?;
    match pump(from, upload.as_mut(), key, bytes, sha256, moved).await {
        Ok(()) => upload.finish().await,
        Err(error) => {
            upload.abort().await;
            Err(error)
        }
    }
}

async fn pump(
    from: &Arc<dyn Store>,
    upload: &mut dyn Upload,
    key: &ObjectKey,
    bytes: u64,
    sha256: Option<&str>,
    moved: &(dyn Fn(u64) + Sync),
) -> Result<(), StoreError> {
    let mut reader = read_whole(from, key, bytes).await?;
    let mut hasher = Sha256::new();
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK);
        let n = reader
            .read_buf(&mut buffer)
            .await
            .map_err(|error| StoreError::from_read(from.name(), key.as_str(), error))?;
        if n == 0 {
            break;
        }
        let chunk = buffer.split().freeze();
        if sha256.is_some() {
            hasher.update(&chunk);
        }
        let length = chunk.len() as u64;
        upload.write(chunk).await?;
        moved(length);
    }
    let found = hex::encode(hasher.finalize());
    match sha256 {
        Some(expected) if expected != found => Err(StoreError {
            store: from.name().clone(),
            operation: "copy",
            object: key.to_string(),
            kind: StoreErrorKind::Mismatch(format!("its SHA-256 is {found}, not {expected}")),
            source: None,
        }),
        _ => Ok(()),
    }
}
