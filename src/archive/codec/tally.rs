//! Counting and hashing what passes.

use sha2::{Digest, Sha256};

/// Size and SHA-256 of the bytes seen so far. sha2 uses the processor's SHA instructions where it finds them at run
/// time.
#[derive(Clone, Default)]
pub(super) struct Tally {
    bytes: u64,
    sha256: Sha256,
}

impl Tally {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sha256.update(bytes);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The size, and the hash as hex.
    pub(super) fn finish(self) -> (u64, String) {
        (self.bytes, hex::encode(self.sha256.finalize()))
    }
}
