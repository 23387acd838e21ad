//! The catalogue: what is known of the backups in the stores.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::instant::{from_ms, to_ms};
use super::runs::text_enum;
use super::{State, StateError};

/// What a backup has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupState {
    /// Being written, or cut off by a crash.
    Writing,
    /// Every store that was asked for has it.
    Complete,
    /// Some stores have it.
    Partial,
    /// No store has it.
    Failed,
}
text_enum!(
    BackupState,
    "backup state",
    Writing = "writing",
    Complete = "complete",
    Partial = "partial",
    Failed = "failed"
);

/// What a store holds of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyState {
    /// Being written, or cut off by a crash.
    Writing,
    /// All of it: its manifest is there.
    Complete,
    /// Nothing: given up, and cleaned.
    Missing,
    /// Given up; remains may be there.
    Leftover,
    /// Its removal has begun.
    Deleting,
}
text_enum!(
    CopyState,
    "copy state",
    Writing = "writing",
    Complete = "complete",
    Missing = "missing",
    Leftover = "leftover",
    Deleting = "deleting",
);

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Verification {
    Good,
    Bad,
}
text_enum!(Verification, "verification", Good = "good", Bad = "bad");

/// A backup about to be written.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "see the table `backups`")]
pub struct NewBackup {
    pub id: String,
    pub database: String,
    pub job: Option<String>,
    pub manual: bool,
    pub run_id: String,
    pub lease: String,
    pub stores: Vec<String>,
    pub started_at: Timestamp,
}

/// A store's part of a backup.
#[derive(Debug, Clone, Serialize)]
pub struct Copy {
    /// The store's name.
    pub store: String,
    /// What it holds.
    pub state: CopyState,
    /// Why it does not hold all.
    pub error: Option<String>,
}

/// A backup as the catalogue knows it.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "see the table `backups`")]
pub struct Backup {
    pub id: String,
    pub database: String,
    pub job: Option<String>,
    pub manual: bool,
    pub run_id: String,
    #[serde(skip)]
    pub lease: String,
    pub state: BackupState,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// The manifest's text; `None` until it was written.
    #[serde(skip)]
    pub manifest: Option<String>,
    pub pinned_at: Option<Timestamp>,
    pub verified_at: Option<Timestamp>,
    pub verified: Option<Verification>,
    pub verified_by: Option<String>,
    pub copies: Vec<Copy>,
}

/// Which backups are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupFilter<'a> {
    /// All.
    All,
    /// Those of this database.
    Database(&'a str),
    /// Those written under this lease: by a job, given by its full name, or by hand.
    Lease(&'a str),
}

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

impl Backup {
    /// The stores that hold all of it.
    pub fn complete_in(&self) -> impl Iterator<Item = &str> {
        self.copies.iter().filter(|copy| copy.state == CopyState::Complete).map(|copy| copy.store.as_str())
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

impl State {
    /// Records that a backup is about to be written to its stores, before the first byte goes there.
    pub async fn begin_backup(&self, backup: &NewBackup) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        sqlx::query(
            "INSERT INTO backups (id, database, job, purpose, run_id, lease, state, started_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'writing', ?7)",
        )
        .bind(&backup.id)
        .bind(&backup.database)
        .bind(&backup.job)
        .bind(if backup.manual { "manual" } else { "job" })
        .bind(&backup.run_id)
        .bind(&backup.lease)
        .bind(to_ms(backup.started_at))
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        for store in &backup.stores {
            sqlx::query(
                "INSERT INTO backup_copies (backup_id, store, state, changed_ms) VALUES (?1, ?2, 'writing', ?3)",
            )
            .bind(&backup.id)
            .bind(store)
            .bind(to_ms(backup.started_at))
            .execute(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
        }
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// Records what a store holds of a backup, and what the backup has come to with it. A backup that no store holds
    /// anything of any more is forgotten.
    pub async fn set_copy(
        &self,
        backup: &str,
        store: &str,
        state: CopyState,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        sqlx::query(
            "UPDATE backup_copies SET state = ?3, error = ?4, changed_ms = ?5 WHERE backup_id = ?1 AND store = ?2",
        )
        .bind(backup)
        .bind(store)
        .bind(state.as_str())
        .bind(error)
        .bind(to_ms(now))
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        sqlx::query(
            "UPDATE backups SET
                 state = (SELECT CASE
                     WHEN sum(state = 'writing') > 0 THEN 'writing'
                     WHEN sum(state = 'complete') = count(*) THEN 'complete'
                     WHEN sum(state = 'complete') > 0 THEN 'partial'
                     ELSE 'failed' END FROM backup_copies WHERE backup_id = ?1),
                 finished_ms = coalesce(finished_ms, ?2)
             WHERE id = ?1",
        )
        .bind(backup)
        .bind(to_ms(now))
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        forget_if_gone(&mut tx, backup).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// Marks a store's copy as being removed. A copy so marked counts for nothing any more.
    pub async fn begin_delete(&self, backup: &str, store: &str, now: Timestamp) -> Result<(), StateError> {
        self.set_copy(backup, store, CopyState::Deleting, None, now).await
    }

    /// Forgets a store's copy whose removal is complete, and the backup with its last copy.
    pub async fn finish_delete(&self, backup: &str, store: &str) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        sqlx::query("DELETE FROM backup_copies WHERE backup_id = ?1 AND store = ?2")
            .bind(backup)
            .bind(store)
            .execute(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
        forget_if_gone(&mut tx, backup).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// Keeps a backup's manifest in the catalogue.
    pub async fn set_manifest(&self, backup: &str, manifest: &str) -> Result<(), StateError> {
        self.update("UPDATE backups SET manifest = ?2 WHERE id = ?1", backup, Some(manifest)).await
    }

    /// Pins a backup (`Some`: when), or takes the pin off.
    pub async fn set_pinned(&self, backup: &str, at: Option<Timestamp>) -> Result<(), StateError> {
        self.update("UPDATE backups SET pinned_ms = ?2 WHERE id = ?1", backup, at.map(to_ms)).await
    }

    /// Records what a verification found.
    pub async fn set_verified(
        &self,
        backup: &str,
        found: Verification,
        by: &str,
        now: Timestamp,
    ) -> Result<(), StateError> {
        sqlx::query("UPDATE backups SET verified_ms = ?2, verified = ?3, verified_by = ?4 WHERE id = ?1")
            .bind(backup)
            .bind(to_ms(now))
            .bind(found.as_str())
            .bind(by)
            .execute(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(())
    }

    async fn update<'q, V>(&self, sql: &'static str, backup: &'q str, value: V) -> Result<(), StateError>
    where
        V: sqlx::Encode<'q, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + 'q,
    {
        sqlx::query(sql).bind(backup).bind(value).execute(&self.pool).await.map_err(|e| self.error(e))?;
        Ok(())
    }

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

/// Forgets a backup that no store holds anything of.
async fn forget_if_gone(connection: &mut sqlx::SqliteConnection, backup: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM backups WHERE id = ?1
         AND NOT EXISTS (SELECT 1 FROM backup_copies WHERE backup_id = ?1 AND state <> 'missing')",
    )
    .bind(backup)
    .execute(connection)
    .await
    .map(drop)
}
