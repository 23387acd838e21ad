//! The stored bytes, in the pieces that the stores get.

use std::collections::VecDeque;
use std::io::{self, Write};

use bytes::{Bytes, BytesMut};

use super::encode::CHUNK;
use super::tally::Tally;

/// How many chunks' memory is used again. A store that is quick enough holds one or two at a time.
const REUSED: usize = 4;

/// Hashes the stored bytes and cuts them into chunks.
pub(super) struct Chunks<S> {
    sink: S,
    buffer: BytesMut,
    /// The memory of the chunks sent last, the oldest first: each may still be waiting in a store's queue.
    sent: VecDeque<BytesMut>,
    stored: Tally,
}

impl<S: FnMut(Bytes) -> io::Result<()>> Chunks<S> {
    pub(super) fn new(sink: S) -> Self {
        Self { sink, buffer: BytesMut::new(), sent: VecDeque::new(), stored: Tally::default() }
    }

    fn emit(&mut self) -> io::Result<()> {
        let chunk = self.buffer.split().freeze();
        self.sent.push_back(std::mem::take(&mut self.buffer));
        self.stored.add(&chunk);
        (self.sink)(chunk)
    }

    /// Room for a chunk: where an earlier one was, if nobody holds that any more, since fresh memory costs a page fault
    /// for every 4 KiB.
    fn room(&mut self) -> BytesMut {
        let free = self.sent.iter_mut().position(|buffer| buffer.try_reclaim(CHUNK));
        if let Some(buffer) = free.and_then(|index| self.sent.remove(index)) {
            return buffer;
        }
        if self.sent.len() >= REUSED {
            self.sent.pop_front();
        }
        BytesMut::with_capacity(CHUNK)
    }

    /// Sends the rest. The stored size, and its SHA-256 as hex.
    pub(super) fn finish(mut self) -> io::Result<(u64, String)> {
        if !self.buffer.is_empty() {
            self.emit()?;
        }
        Ok(self.stored.finish())
    }
}

impl<S: FnMut(Bytes) -> io::Result<()>> Write for Chunks<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.capacity() < CHUNK {
            self.buffer = self.room();
        }
        let taken = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == CHUNK {
            self.emit()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
