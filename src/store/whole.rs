//! An object read whole, across its segments.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream;
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;

use super::{ObjectKey, ObjectReader, Store, StoreError, StoreErrorKind};

/// Bytes handed on at once.
const CHUNK: usize = 256 * 1024;

struct Segments {
    store: Arc<dyn Store>,
    key: ObjectKey,
    expected: u64,
    read: u64,
    segment: u32,
    reader: ObjectReader,
    buffer: BytesMut,
}

/// Streams an object of `expected` bytes, going on in its further segments where it has any. The reader fails with
/// [`StoreErrorKind::Mismatch`] when the segments hold fewer bytes or more; [`StoreError::from_read`] takes that out of
/// the reader's error.
///
/// # Errors
///
/// What [`Store::read`] of the first segment gives.
pub async fn read_whole(store: &Arc<dyn Store>, key: &ObjectKey, expected: u64) -> Result<ObjectReader, StoreError> {
    let reader = store.read(key, 0).await?;
    let segments = Segments {
        store: Arc::clone(store),
        key: key.clone(),
        expected,
        read: 0,
        segment: 0,
        reader,
        buffer: BytesMut::new(),
    };
    let chunks = stream::try_unfold(segments, |mut segments| async move {
        Ok::<_, std::io::Error>(segments.next().await?.map(|chunk| (chunk, segments)))
    });
    Ok(Box::pin(StreamReader::new(Box::pin(chunks))))
}

impl Segments {
    async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        loop {
            self.buffer.reserve(CHUNK);
            let n = self.reader.read_buf(&mut self.buffer).await?;
            if n > 0 {
                self.read += n as u64;
                if self.read > self.expected {
                    return Err(self.mismatch(format!("more than the {} bytes of its manifest", self.expected)));
                }
                return Ok(Some(self.buffer.split().freeze()));
            }
            let next = self.key.segment(self.segment + 1);
            if self.read == self.expected {
                return match self.store.head(&next).await.map_err(StoreError::into_io)? {
                    None => Ok(None),
                    Some(_) => Err(self.mismatch(format!("{} bytes, and {next} beyond them", self.read))),
                };
            }
            self.reader = match self.store.read(&next, 0).await {
                Ok(reader) => reader,
                Err(error) if error.kind == StoreErrorKind::NoObject => {
                    return Err(self.mismatch(format!("{} of {} bytes, and no {next}", self.read, self.expected)));
                }
                Err(error) => return Err(error.into_io()),
            };
            self.segment += 1;
        }
    }

    fn mismatch(&self, found: String) -> std::io::Error {
        StoreError {
            store: self.store.name().clone(),
            operation: "read",
            object: self.key.to_string(),
            kind: StoreErrorKind::Mismatch(format!("found {found}")),
            source: None,
        }
        .into_io()
    }
}
