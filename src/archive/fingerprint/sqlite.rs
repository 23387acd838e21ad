//! Rows and hash of a SQLite table, from its values.

use super::sum::HashSum;
use crate::config::FingerprintLevel;

/// What a buffer may keep between rows; a row with a large blob gives the rest back.
const KEEP: usize = 1 << 20;

/// Writes a row as bytes that no other row has: for each value its type (0 null, 1 integer, 2 real, 3 text, 4 blob) and,
/// little-endian, 8 bytes of two's complement, 8 bytes of IEEE 754, or an 8-byte length and the bytes.
#[derive(Debug, Default)]
pub struct RowEncoder {
    row: Vec<u8>,
    ended: bool,
}

impl RowEncoder {
    /// An encoder at the beginning of a row.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a NULL.
    pub fn null(&mut self) {
        self.value(0);
    }

    /// Adds an integer.
    pub fn integer(&mut self, value: i64) {
        self.value(1).extend_from_slice(&value.to_le_bytes());
    }

    /// Adds a floating-point number by its bits, so that −0.0 is not 0.0.
    pub fn real(&mut self, value: f64) {
        self.value(2).extend_from_slice(&value.to_bits().to_le_bytes());
    }

    /// Adds a text in UTF-8; bytes, because SQLite does not check them.
    pub fn text(&mut self, value: &[u8]) {
        self.sized(3, value);
    }

    /// Adds a blob.
    pub fn blob(&mut self, value: &[u8]) {
        self.sized(4, value);
    }

    /// The row, complete; the next value begins the next one.
    pub fn end_row(&mut self) -> &[u8] {
        self.begin();
        self.ended = true;
        &self.row
    }

    fn begin(&mut self) {
        if std::mem::take(&mut self.ended) {
            self.row.clear();
            self.row.shrink_to(KEEP);
        }
    }

    fn value(&mut self, kind: u8) -> &mut Vec<u8> {
        self.begin();
        self.row.push(kind);
        &mut self.row
    }

    fn sized(&mut self, kind: u8, value: &[u8]) {
        let row = self.value(kind);
        row.extend_from_slice(&(value.len() as u64).to_le_bytes());
        row.extend_from_slice(value);
    }
}

/// Counts and hashes the rows of a SQLite table, in any order.
#[derive(Debug)]
pub struct RowHasher {
    hash: bool,
    rows: HashSum,
}

impl RowHasher {
    /// A hasher that counts, and at level [`FingerprintLevel::Hash`] hashes.
    pub fn new(level: FingerprintLevel) -> Self {
        Self { hash: level == FingerprintLevel::Hash, rows: HashSum::default() }
    }

    /// Takes a row as [`RowEncoder::end_row`] gives it; below level `hash` any bytes will do.
    pub fn push_row(&mut self, row: &[u8]) {
        if self.hash { self.rows.add(row) } else { self.rows.count += 1 }
    }

    /// The number of rows, and at level `hash` the table's hash as 32 hex digits.
    pub fn finish(self) -> (u64, Option<String>) {
        (self.rows.count, self.hash.then(|| self.rows.hex()))
    }
}
