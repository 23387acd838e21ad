//! The ledger of erasures as other places know it: what was told to the stores, and what they tell.

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction};

use super::super::instant::to_ms;
use super::super::{State, StateError};
use super::erasure::{Erasure, read};
use super::log::{LogEntry, append};

impl State {
    /// What a store does not know yet of the ledger.
    pub async fn untold_erasures(&self, store: &str) -> Result<Vec<Erasure>, StateError> {
        let rows = sqlx::query(
            "SELECT erasures.* FROM erasures LEFT JOIN stores_told AS told ON told.store = ?1 AND told.object = erasures.id
             WHERE told.version IS NULL OR told.version < erasures.version ORDER BY received_ms, id",
        )
        .bind(store)
        .fetch_all(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        rows.iter().map(read).collect()
    }

    /// Records that a store knows an object in this version.
    pub async fn set_told(&self, store: &str, object: &str, version: u32) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO stores_told (store, object, version) VALUES (?1, ?2, ?3)
             ON CONFLICT (store, object) DO UPDATE SET version = max(version, excluded.version)",
        )
        .bind(store)
        .bind(object)
        .bind(version)
        .execute(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        Ok(())
    }

    /// Whether a store knows an object.
    pub async fn is_told(&self, store: &str, object: &str) -> Result<bool, StateError> {
        let found = sqlx::query("SELECT 1 FROM stores_told WHERE store = ?1 AND object = ?2").bind(store).bind(object);
        Ok(found.fetch_optional(&self.pool).await.map_err(|e| self.error(e))?.is_some())
    }

    /// Takes over erasures that were read from a store, as far as this ledger does not know them or knows less; and logs
    /// it. One that is open while another of the same person is open here stays out.
    pub async fn adopt_erasures(
        &self,
        erasures: &[Erasure],
        entry: &LogEntry,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        for erasure in erasures {
            adopt(&mut tx, erasure).await.map_err(|e| self.error(e))?;
        }
        append(&mut tx, entry, now).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))
    }
}

async fn adopt(tx: &mut Transaction<'_, Sqlite>, erasure: &Erasure) -> Result<(), sqlx::Error> {
    let write = |sql: &'static str| {
        sqlx::query(sql)
            .bind(&erasure.id)
            .bind(erasure.version)
            .bind(erasure.state.as_str())
            .bind(&erasure.note)
            .bind(erasure.completed.map(to_ms))
            .bind(erasure.certificate.as_ref().map(ToString::to_string))
            .bind(&erasure.policy)
            .bind(&erasure.database)
            .bind(&erasure.subject_hmac)
            .bind(&erasure.key_id)
            .bind(&erasure.reason)
            .bind(&erasure.requested_by)
            .bind(to_ms(erasure.received))
            .bind(to_ms(erasure.due))
    };
    let new = write(
        "INSERT OR IGNORE INTO erasures (id, version, state, note, completed_ms, certificate, policy, database,
             subject_hmac, key_id, reason, requested_by, received_ms, due_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    );
    new.execute(&mut **tx).await?;
    let newer = write(
        "UPDATE OR IGNORE erasures SET version = ?2, state = ?3, note = ?4, completed_ms = ?5, certificate = ?6,
             tombstone = CASE WHEN ?3 = 'completed' THEN NULL ELSE tombstone END
         WHERE id = ?1 AND version < ?2",
    );
    newer.execute(&mut **tx).await.map(drop)
}
