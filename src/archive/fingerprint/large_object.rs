//! The hash of a large object's bytes, as the reader of a dump computes it.

use xxhash_rust::xxh3::Xxh3Default;

use super::sum::hex;

/// The 128-bit XXH3 of a large object's bytes, fed in any chunks.
#[derive(Default)]
pub struct LargeObjectHasher {
    hash: Box<Xxh3Default>,
    bytes: u64,
}

impl LargeObjectHasher {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// Its size and its hash, hex.
    pub fn finish(self) -> (u64, String) {
        (self.bytes, hex(self.hash.digest128()))
    }
}
