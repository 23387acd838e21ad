//! `manifest.json` of an archive of rows. Plain JSON, without a value of any row.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::archive::BackupId;
use crate::archive::manifest::Object;

/// What an archive says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// 1.
    pub format_version: u32,
    /// Its id, and the name of its folder.
    pub id: BackupId,
    /// Under which policy.
    pub policy: String,
    /// In which form of it.
    pub policy_hash: String,
    /// By which rule.
    pub rule: String,
    /// Why.
    pub reason: Option<String>,
    /// Which database, by its name in the configuration.
    pub database: String,
    /// Which table.
    pub table: String,
    /// In which run.
    pub run: String,
    /// As part of which disposition; the log tells how many of the rows went.
    pub disposition: String,
    /// The rows were older than this.
    pub cutoff: Timestamp,
    /// When it was written.
    pub at: Timestamp,
    /// On which machine.
    pub host: String,
    /// When it goes; `None`: when somebody deletes it.
    pub expires: Option<Timestamp>,
    /// The table's columns.
    pub columns: Vec<Column>,
    /// How many rows are in it.
    pub rows: u64,
    /// The object with the rows.
    pub object: Object,
    /// The age public keys that can open it.
    pub encrypted_to: Vec<String>,
}

/// A column of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type as the server writes it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether the server computes it.
    pub generated: bool,
}
