//! What has come of a backup.

use serde_json::{Value, json};

use crate::archive::manifest::{Manifest, Object, SourceKind};
use crate::run::Failure;

/// A backup that was taken.
pub struct Taken {
    /// What stands in the stores.
    pub manifest: Manifest,
    /// What each store has come to.
    pub(super) copies: Vec<(String, Option<Failure>)>,
    pub(super) damage: Vec<String>,
}

impl Taken {
    /// Why it is only partial.
    pub(in crate::backup) fn failure(&self) -> Option<Failure> {
        let failed: Vec<_> = self.copies.iter().filter_map(|(_, failure)| failure.as_ref()).collect();
        let first = failed.first()?;
        let message = failed.iter().map(|failure| failure.message.as_str()).collect::<Vec<_>>().join("; ");
        let retryable = failed.iter().any(|failure| failure.retryable);
        Some(Failure { message, hint: first.hint.clone(), retryable, refused: None })
    }

    /// What is wrong with the database itself.
    pub(in crate::backup) fn damage(&self) -> Option<Failure> {
        let first = self.damage.first()?;
        let what = match self.manifest.kind {
            SourceKind::Sqlite => "the database",
            SourceKind::Postgres => "the dump",
        };
        Some(Failure::new(format!("{what} is damaged ({} findings): {first}", self.damage.len())).hint(
            "the backup is stored as it is, does not count as good, and pushes no older one out; see `backup show`",
        ))
    }

    pub(in crate::backup) fn summary(&self) -> Value {
        let manifest = &self.manifest;
        let sum = |size: fn(&Object) -> u64| manifest.objects.iter().map(size).sum::<u64>();
        json!({
            "backup": manifest.id.as_str(),
            "plain_bytes": sum(|object| object.plain_bytes),
            "stored_bytes": sum(|object| object.bytes),
            "tables": manifest.tables.len(),
            "rows": manifest.tables.iter().filter_map(|table| table.rows).sum::<u64>(),
            "stores": self.copies.iter().filter(|(_, failure)| failure.is_none()).map(|(store, _)| store).collect::<Vec<_>>(),
            "warnings": manifest.warnings,
        })
    }
}
