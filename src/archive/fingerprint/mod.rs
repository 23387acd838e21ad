//! Rows and hashes of every table, read from the bytes of a dump on their way through.
//!
//! What pg_dump writes between `COPY … FROM stdin` and `\.` is, byte for byte, what `COPY … TO STDOUT` gives. So the
//! proof that a restored table equals the dumped one costs the source server nothing: [`DumpReader`] counts and hashes
//! the lines while they pass to the stores, and [`TableHasher`] does the same later over a COPY of the restored table.
//!
//! The definition, for people who want to compute it themselves, is in `docs/fingerprint.md`.

mod blocks;
mod catalogue;
mod copy_statement;
mod dump;
mod int;
mod large_object;
mod rows;
mod sqlite;
mod sum;
#[cfg(test)]
mod tests;
mod toc;

pub use dump::DumpReader;
pub use large_object::LargeObjectHasher;
pub use rows::TableHasher;
pub use sqlite::{RowEncoder, RowHasher};

use crate::archive::manifest::{self, LargeObject, Table};
use crate::config::FingerprintLevel;

/// The name under which manifests record how their hashes were computed: the sum, modulo 2^128, of the 128-bit XXH3 of
/// every line. A change of any detail gets a new name.
pub const ALGORITHM: &str = "xxh3-128-sum-v1";

/// What [`DumpReader`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpFingerprint {
    /// How much was asked for.
    pub level: FingerprintLevel,
    /// Every table whose data is in the archive, by schema and name.
    pub tables: Vec<Table>,
    /// Every large object, by OID; empty at level `none`.
    pub large_objects: Vec<LargeObject>,
    /// What header and table of contents say; `None`: they could not be read.
    pub contents: Option<Contents>,
    /// Why this is no whole archive: it does not begin like one, or ends early. Another matter than one that this reader
    /// does not understand. At level `none`, what comes after the table of contents is not looked at.
    pub broken: Option<Broken>,
    /// Why there are no rows and hashes although they were asked for, in words for the manifest. The backup stands all
    /// the same: only its proof is missing.
    pub not_fingerprinted: Option<String>,
}

/// Why something is no whole archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It has no table of contents, or only part of one: nothing can be restored from it.
    NoArchive,
    /// It has its table of contents and ends before its data does.
    Cut,
}

impl DumpFingerprint {
    /// The manifest's account of how the tables were fingerprinted.
    pub fn summary(&self) -> manifest::Fingerprint {
        let hashed = self.level == FingerprintLevel::Hash;
        manifest::Fingerprint {
            level: self.level.as_str().to_owned(),
            algorithm: hashed.then(|| ALGORITHM.to_owned()),
            not_fingerprinted: self.not_fingerprinted.clone(),
        }
    }
}

/// What the header and the table of contents of an archive say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Major and minor version of the archive format: `(1, 14)`.
    pub archive_version: (u8, u8),
    /// When pg_dump began, in the local time of its process; `None`: not a date.
    pub created: Option<jiff::civil::DateTime>,
    /// The database's name.
    pub database: String,
    /// The server's version as it says it: `15.18 (Debian 15.18-0+deb12u1)`.
    pub server_version: String,
    /// pg_dump's version, in the same form.
    pub pg_dump_version: String,
    /// The client encoding of the dump, in which names and rows are written: `UTF8`.
    pub encoding: Option<String>,
    /// How many entries the table of contents has.
    pub entries: u64,
    /// The roles that own something in the archive, sorted.
    pub owners: Vec<String>,
}
