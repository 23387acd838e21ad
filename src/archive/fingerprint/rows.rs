//! Rows and hash of a table, from the text of its COPY.

use memchr::{memchr, memchr_iter};
use xxhash_rust::xxh3::Xxh3Default;

use super::sum::HashSum;
use crate::config::FingerprintLevel;

/// Counts and hashes the rows of a `COPY … TO STDOUT` (text format), fed in chunks cut anywhere.
///
/// Memory is flat: a line that ends in a later chunk is hashed as it comes.
#[derive(Debug)]
pub struct TableHasher {
    hash: bool,
    lines: HashSum,
    open: OpenLine,
}

impl TableHasher {
    /// A hasher that counts, and at level [`FingerprintLevel::Hash`] hashes.
    pub fn new(level: FingerprintLevel) -> Self {
        Self { hash: level == FingerprintLevel::Hash, lines: HashSum::default(), open: OpenLine::default() }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.hash {
            let Self { lines, open, .. } = self;
            open.split(bytes, |line| match line {
                Line::Whole(line) => lines.add(line),
                Line::Pieces { hash, .. } => lines.add_hash(hash),
            });
        } else if let Some(last) = bytes.last() {
            self.lines.count += memchr_iter(b'\n', bytes).count() as u64;
            self.open.length = u64::from(*last != b'\n');
        }
    }

    /// The number of rows, and at level `hash` the table's hash as 32 hex digits.
    pub fn finish(mut self) -> (u64, Option<String>) {
        if self.open.length > 0 {
            self.lines.add_hash(self.open.hash.digest128());
        }
        (self.lines.count, self.hash.then(|| self.lines.hex()))
    }
}

/// The rows of a table's data block in an archive: a COPY, the line `\.`, and empty lines.
pub(super) struct BlockHasher {
    level: FingerprintLevel,
    lines: HashSum,
    open: OpenLine,
    ended: bool,
}

/// A data block that is not a COPY with its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotCopy;

impl BlockHasher {
    pub(super) fn new(level: FingerprintLevel) -> Self {
        Self { level, lines: HashSum::default(), open: OpenLine::default(), ended: false }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), NotCopy> {
        let hash = self.level == FingerprintLevel::Hash;
        let Self { lines, open, ended, .. } = self;
        // pg_dump makes one chunk of one row, so most chunks take the first branch.
        if let Some((b'\n', line)) = bytes.split_last()
            && open.length == 0
            && !*ended
            && line != END
            && memchr(b'\n', line).is_none()
        {
            if hash {
                lines.add(line)
            } else {
                lines.count += 1
            }
            return Ok(());
        }
        let mut clean = true;
        open.split(bytes, |line| {
            let (length, is_end) = match line {
                Line::Whole(line) => (line.len() as u64, line == END),
                Line::Pieces { length, ref start, .. } => (length, length == 2 && start == END),
            };
            if *ended {
                clean &= length == 0;
            } else if is_end {
                *ended = true;
            } else {
                match line {
                    Line::Whole(line) if hash => lines.add(line),
                    Line::Pieces { hash: digest, .. } if hash => lines.add_hash(digest),
                    _ => lines.count += 1,
                }
            }
        });
        if clean { Ok(()) } else { Err(NotCopy) }
    }

    pub(super) fn finish(self) -> Result<HashSum, NotCopy> {
        if self.ended && self.open.length == 0 { Ok(self.lines) } else { Err(NotCopy) }
    }
}

/// What ends a COPY in the text format. No row looks like it: COPY doubles backslashes.
const END: &[u8; 2] = b"\\.";

enum Line<'a> {
    Whole(&'a [u8]),
    Pieces { length: u64, start: [u8; 2], hash: u128 },
}

/// A line of which only the beginning has come.
#[derive(Default)]
struct OpenLine {
    length: u64,
    start: [u8; 2],
    hash: Box<Xxh3Default>,
}

impl OpenLine {
    /// Calls `each` for every line that ends in `bytes`, and keeps the rest.
    #[inline]
    fn split(&mut self, mut bytes: &[u8], mut each: impl FnMut(Line<'_>)) {
        if self.length > 0 {
            let Some(end) = memchr(b'\n', bytes) else { return self.extend(bytes) };
            self.extend(&bytes[..end]);
            each(Line::Pieces { length: self.length, start: self.start, hash: self.hash.digest128() });
            self.length = 0;
            self.hash.reset();
            bytes = &bytes[end + 1..];
        }
        let mut start = 0;
        for end in memchr_iter(b'\n', bytes) {
            each(Line::Whole(&bytes[start..end]));
            start = end + 1;
        }
        self.extend(&bytes[start..]);
    }

    fn extend(&mut self, piece: &[u8]) {
        for (place, byte) in self.start.iter_mut().skip(self.length.min(2) as usize).zip(piece) {
            *place = *byte;
        }
        self.length += piece.len() as u64;
        self.hash.update(piece);
    }
}

impl std::fmt::Debug for OpenLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenLine").field("length", &self.length).finish_non_exhaustive()
    }
}
