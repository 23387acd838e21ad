//! Questions to the catalogue.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::super::instant::from_ms;
use super::super::{State, StateError};
use super::{Backup, BackupFilter, BackupState, Copy, CopyState, Verification};

impl<'a> BackupFilter<'a> {
    /// The queries for backups and for their copies, and the one value both take. A query of its own for each, so that
    /// each uses its index: manifests are large, and a scan over all of them shows with thousands of backups.
    fn queries(self) -> (&'static str, &'static str, &'a str) {
        match self {
            Self::All => (
                "SELECT * FROM backups WHERE ?1 = '' ORDER BY started_ms DESC, id DESC",
                "SELECT backup_id, store, state, error FROM backup_copies WHERE ?1 = '' ORDER BY store",
                "",
            ),
            Self::Database(database) => (
                "SELECT * FROM backups WHERE database = ?1 ORDER BY started_ms DESC, id DESC",
                "SELECT backup_id, store, state, error FROM backup_copies
                 WHERE backup_id IN (SELECT id FROM backups WHERE database = ?1) ORDER BY store",
                database,
            ),
            Self::Lease(lease) => (
                "SELECT * FROM backups WHERE lease = ?1 ORDER BY started_ms DESC, id DESC",
                "SELECT backup_id, store, state, error FROM backup_copies
                 WHERE backup_id IN (SELECT id FROM backups WHERE lease = ?1) ORDER BY store",
                lease,
            ),
        }
    }
}

impl State {
    /// Backups, the newest first.
    pub async fn backups(&self, wanted: BackupFilter<'_>) -> Result<Vec<Backup>, StateError> {
        let (backups, copies, value) = wanted.queries();
        let mut tx = self.pool.begin().await.map_err(|e| self.error(e))?;
        let rows = sqlx::query(backups).bind(value).fetch_all(&mut *tx).await.map_err(|e| self.error(e))?;
        let copies = sqlx::query(copies).bind(value).fetch_all(&mut *tx).await.map_err(|e| self.error(e))?;
        drop(tx);
        let mut by_backup: BTreeMap<String, Vec<Copy>> = BTreeMap::new();
        for row in &copies {
            let copy = Copy { store: row.get(1), state: CopyState::read(row.get(2))?, error: row.get(3) };
            by_backup.entry(row.get(0)).or_default().push(copy);
        }
        rows.iter()
            .map(|row| {
                let mut backup = read(row)?;
                backup.copies = by_backup.remove(&backup.id).unwrap_or_default();
                Ok(backup)
            })
            .collect()
    }

    /// The backup of this id, or the only one whose id ends or begins with this text.
    pub async fn backup(&self, id: &str) -> Result<Option<Backup>, StateError> {
        let mut found: Vec<Backup> = self
            .backups(BackupFilter::All)
            .await?
            .into_iter()
            .filter(|backup| {
                backup.id == id || (id.len() >= 4 && (backup.id.ends_with(id) || backup.id.starts_with(id)))
            })
            .collect();
        if let Some(exact) = found.iter().position(|backup| backup.id == id) {
            return Ok(Some(found.swap_remove(exact)));
        }
        Ok(if found.len() == 1 { found.pop() } else { None })
    }
}

fn read(row: &SqliteRow) -> Result<Backup, StateError> {
    Ok(Backup {
        id: row.get("id"),
        database: row.get("database"),
        job: row.get("job"),
        manual: row.get::<&str, _>("purpose") == "manual",
        run_id: row.get("run_id"),
        lease: row.get("lease"),
        state: BackupState::read(row.get("state"))?,
        started_at: from_ms(row.get("started_ms")),
        finished_at: row.get::<Option<i64>, _>("finished_ms").map(from_ms),
        manifest: row.get("manifest"),
        pinned_at: row.get::<Option<i64>, _>("pinned_ms").map(from_ms),
        verified_at: row.get::<Option<i64>, _>("verified_ms").map(from_ms),
        verified: row.get::<Option<&str>, _>("verified").map(Verification::read).transpose()?,
        verified_by: row.get("verified_by"),
        copies: Vec::new(),
    })
}
