//! The order-independent sum of hashes.

use xxhash_rust::xxh3::xxh3_128;

/// A multiset of byte strings, reduced to its size and the sum of their hashes modulo 2^128.
///
/// A sum rather than XOR, under which any pair of equal rows would vanish. It guards against accidents: lost, doubled,
/// cut and changed rows. It is no defence against somebody who builds rows to collide; SHA-256 of the objects is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct HashSum {
    pub(super) count: u64,
    sum: u128,
}

impl HashSum {
    #[inline]
    pub(super) fn add(&mut self, element: &[u8]) {
        self.add_hash(xxh3_128(element));
    }

    #[inline]
    pub(super) fn add_hash(&mut self, hash: u128) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(hash);
    }

    pub(super) fn hex(self) -> String {
        hex(self.sum)
    }
}

/// 32 digits, the most significant first.
pub(super) fn hex(hash: u128) -> String {
    format!("{hash:032x}")
}
