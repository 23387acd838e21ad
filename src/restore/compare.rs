//! The restored tables against the manifest, one by one: rows and hashes. Pure.

use serde::Serialize;

use crate::archive::manifest::{LargeObject, Manifest, Table};
use crate::config::FingerprintLevel;

/// A table of the manifest and what the restored database holds of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableComparison {
    /// `schema.table`, unquoted; `large objects` for them all.
    pub table: String,
    /// Rows by the manifest.
    pub expected_rows: Option<u64>,
    /// Rows found; `None`: the table is not there.
    pub found_rows: Option<u64>,
    /// Whether the hashes are equal; `None`: there is none to compare with.
    pub same_hash: Option<bool>,
    /// Why it is not compared.
    pub not_comparable: Option<String>,
}

impl TableComparison {
    /// Whether it is as it should be, as far as can be told.
    pub fn is_same(&self) -> bool {
        self.not_comparable.is_some()
            || (self.found_rows.is_some()
                && self.expected_rows.is_none_or(|rows| Some(rows) == self.found_rows)
                && self.same_hash != Some(false))
    }
}

/// All tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Whether every comparable table is as it should be.
    pub same: bool,
    /// Whether there was anything to compare.
    pub proven: bool,
    /// The tables, in the manifest's order.
    pub tables: Vec<TableComparison>,
}

/// How a restored database is to be looked at, so that it can be compared: as deep as the backup was, and at least by
/// counting.
pub(super) fn depth(manifest: &Manifest) -> FingerprintLevel {
    if manifest.fingerprint.level == FingerprintLevel::Hash.as_str() {
        FingerprintLevel::Hash
    } else {
        FingerprintLevel::Counts
    }
}

/// Compares what was found in a restored database with its manifest.
pub(super) fn compare(manifest: &Manifest, found: &[Table], found_objects: &[LargeObject]) -> Comparison {
    let mut tables: Vec<TableComparison> = manifest
        .tables
        .iter()
        .map(|table| {
            let twin = found.iter().find(|found| found.schema == table.schema && found.name == table.name);
            let hashes = table.hash.as_ref().zip(twin.and_then(|twin| twin.hash.as_ref()));
            TableComparison {
                table: format!("{}.{}", table.schema, table.name),
                expected_rows: table.rows,
                found_rows: twin.and_then(|twin| twin.rows),
                same_hash: hashes.map(|(expected, found)| expected == found),
                not_comparable: table.not_comparable.clone().or_else(|| {
                    table.rows.is_none().then(|| "it was not counted when the backup was taken".to_owned())
                }),
            }
        })
        .collect();
    if !manifest.large_objects.is_empty() {
        let is_same = |object: &LargeObject| {
            found_objects.iter().any(|found| {
                found.oid == object.oid
                    && found.bytes == object.bytes
                    && (object.hash.is_none() || found.hash == object.hash)
            })
        };
        tables.push(TableComparison {
            table: "large objects".to_owned(),
            expected_rows: Some(manifest.large_objects.len() as u64),
            found_rows: Some(found_objects.len() as u64),
            same_hash: Some(manifest.large_objects.iter().all(is_same)),
            not_comparable: None,
        });
    }
    Comparison {
        same: tables.iter().all(TableComparison::is_same),
        proven: tables.iter().any(|table| table.not_comparable.is_none())
            || (manifest.tables.is_empty() && manifest.fingerprint.not_fingerprinted.is_none()),
        tables,
    }
}
