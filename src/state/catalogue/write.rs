//! Changes of the catalogue, each one transaction.

use jiff::Timestamp;

use super::super::instant::to_ms;
use super::super::{State, StateError};
use super::{CopyState, NewBackup, Verification};

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
        sum_up(&mut tx, backup, now).await.map_err(|e| self.error(e))?;
        forget_if_gone(&mut tx, backup).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// Records what reading a store's copy has shown, and what the backup has come to with it. A copy that is being
    /// written or removed by now is somebody else's and stays as it is.
    pub async fn set_copy_found(
        &self,
        backup: &str,
        store: &str,
        found: Verification,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let state = match found {
            Verification::Good => CopyState::Complete,
            Verification::Bad => CopyState::Bad,
        };
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        sqlx::query(
            "UPDATE backup_copies SET state = ?3, error = ?4, changed_ms = ?5
             WHERE backup_id = ?1 AND store = ?2 AND state IN ('complete', 'bad')",
        )
        .bind(backup)
        .bind(store)
        .bind(state.as_str())
        .bind(error)
        .bind(to_ms(now))
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        sum_up(&mut tx, backup, now).await.map_err(|e| self.error(e))?;
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
}

/// What a backup has come to, from its copies.
async fn sum_up(connection: &mut sqlx::SqliteConnection, backup: &str, now: Timestamp) -> Result<(), sqlx::Error> {
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
    .execute(connection)
    .await
    .map(drop)
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
