//! `manifest.json`: what a backup says of itself. Written last, so a backup without it does not exist. Plain JSON,
//! documented for people without Caretaker in `docs/manifest.md`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::BackupId;

/// The format written by this version. A reader takes this and all older ones, and refuses newer ones by name.
pub const FORMAT_VERSION: u32 = 1;

/// A backup's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT_VERSION`] of the writer.
    pub format_version: u32,
    /// The backup's id, and the name of its folder.
    pub id: BackupId,
    /// The database's name in the configuration, and the name of the folder above.
    pub database: String,
    /// What kind of database it is.
    pub kind: SourceKind,
    /// `job`, or `manual`: manual backups never count in a job's keep rules.
    pub purpose: Purpose,
    /// The job that made it: `backup.nightly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The run that made it.
    pub run_id: String,
    /// When the run began.
    pub started_at: Timestamp,
    /// The instant whose data this is: the dump's snapshot, the copy's read transaction.
    pub snapshot_at: Timestamp,
    /// When the last data byte was stored.
    pub finished_at: Timestamp,
    /// What was read.
    pub source: Source,
    /// What wrote it.
    pub tools: Tools,
    /// `zstd:3`, `gzip:6`, `none`.
    pub compression: String,
    /// The age public keys that can open it; empty: not encrypted.
    pub encrypted_to: Vec<String>,
    /// The objects beside this manifest.
    pub objects: Vec<Object>,
    /// How the tables were fingerprinted.
    pub fingerprint: Fingerprint,
    /// Every table whose rows are in the data object.
    pub tables: Vec<Table>,
    /// Every large object (PostgreSQL).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub large_objects: Vec<LargeObject>,
    /// Where the disposition log stood; nothing, if it was empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition_log: Option<LogPosition>,
    /// What the operator should know, in sentences.
    pub warnings: Vec<String>,
    /// What was anomalous in comparison with earlier backups.
    #[serde(default)]
    pub anomalies: Vec<String>,
}

/// A line of the disposition log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    /// Its number.
    pub seq: u64,
    /// Its hash, hex.
    pub hash: String,
}

/// The kinds of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// PostgreSQL: `data.dump`, pg_dump's custom format.
    Postgres,
    /// SQLite: `data.db`, the database file.
    Sqlite,
}

/// Why a backup was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// By a job, scheduled or by `job run`.
    Job,
    /// By `backup now`.
    Manual,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The server's version as it says it, or SQLite's.
    pub version: String,
    /// PostgreSQL: the database's own name. SQLite: the file's name.
    pub name: String,
    /// PostgreSQL: settings of the session that shape the bytes of a COPY; to be set alike when comparing.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub settings: std::collections::BTreeMap<String, String>,
}

/// What wrote the backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tools {
    /// Caretaker's version.
    pub caretaker: String,
    /// `pg_dump (PostgreSQL) 15.18`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pg_dump: Option<String>,
}

/// An object of the backup. In a store it may be split into segments `name`, `name.001`, …; sizes and hashes are those
/// of the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Its name beside the manifest: `data.dump.zst.age`.
    pub name: String,
    /// Stored size.
    pub bytes: u64,
    /// SHA-256 of the stored bytes, hex.
    pub sha256: String,
    /// Size before compression and encryption.
    pub plain_bytes: u64,
    /// SHA-256 before compression and encryption, hex.
    pub plain_sha256: String,
}

/// How the tables were fingerprinted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// `none`, `counts`, `hash`.
    pub level: String,
    /// How `hash` is computed: see `docs/fingerprint.md`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// Why the tables are not fingerprinted although `level` asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_fingerprinted: Option<String>,
}

/// A table's fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// PostgreSQL: the schema; SQLite: `main`.
    pub schema: String,
    /// The table.
    pub name: String,
    /// The columns of its COPY, as pg_dump wrote them between the parentheses, quoted; empty: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<String>,
    /// Exact number of rows.
    pub rows: Option<u64>,
    /// Order-independent 128-bit hash of the rows, hex.
    pub hash: Option<String>,
    /// Why it cannot be compared with a restored table: only part of its rows are dumped, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_comparable: Option<String>,
}

/// A large object's fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeObject {
    /// Its OID.
    pub oid: u32,
    /// Its size.
    pub bytes: u64,
    /// 128-bit hash of its bytes, hex; `None` below level `hash`.
    pub hash: Option<String>,
}
