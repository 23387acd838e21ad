//! A restore in the disposition log: what had been disposed of may be back, and where.

use serde_json::{Value, json};

use crate::cli::exit::CliError;
use crate::privacy::approval::Hand;
use crate::restore::RestorePlan;
use crate::run::host;
use crate::state::{Backup, LogEntry, LogKind, State};

/// Writes about one restore.
pub(super) struct Journal<'a> {
    pub(super) backup: &'a Backup,
    pub(super) state: &'a State,
    pub(super) who: String,
}

impl Journal<'_> {
    /// On whose behalf.
    pub(super) fn hand(&self) -> Hand<'_> {
        Hand { who: &self.who, is_person: true, run_id: None }
    }

    /// A line about the restore as it was planned, with what else there is to say.
    pub(super) async fn write(&self, kind: LogKind, planned: &RestorePlan, more: Value) -> Result<(), CliError> {
        let mut detail = json!({
            "backup": planned.backup, "store": planned.store, "snapshot_at": planned.snapshot_at, "into": planned.target,
        });
        if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), more) {
            detail.extend(more);
        }
        let entry = LogEntry {
            kind,
            policy: None,
            database: Some(self.backup.database.clone()),
            run_id: None,
            who: self.who.clone(),
            host: host(),
            detail,
        };
        self.state.log(&entry, jiff::Timestamp::now()).await?;
        Ok(())
    }
}
