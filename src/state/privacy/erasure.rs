//! The ledger of erasures: who asked to be erased, and what became of it. It knows people by an HMAC only.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::super::instant::{from_ms, to_ms};
use super::super::{State, StateError};
use super::log::{LogEntry, append};

/// How an erasure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureState {
    /// It was asked for, and is under way or was cut off.
    Pending,
    /// A hold keeps it.
    Deferred,
    /// It is done, and nothing was found afterwards.
    Completed,
    /// It ended before that.
    Failed,
}

impl ErasureState {
    /// As it stands in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Deferred => "deferred",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Deferred, Self::Completed, Self::Failed].into_iter().find(|state| state.as_str() == text)
    }
}

/// An erasure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Erasure {
    /// Its UUIDv7.
    pub id: String,
    /// Under which policy.
    pub policy: String,
    /// In which database.
    pub database: String,
    /// HMAC of the person's key in its canonical form.
    pub subject_hmac: String,
    /// Which key that was made with.
    pub key_id: String,
    /// Counts what has become of it, from 1.
    pub version: u32,
    /// Why.
    pub reason: Option<String>,
    /// Who wrote it down.
    pub requested_by: String,
    /// When it was received.
    pub received: Timestamp,
    /// When it must be done.
    pub due: Timestamp,
    /// How it stands.
    pub state: ErasureState,
    /// Why it is deferred or has failed.
    pub note: Option<String>,
    /// The random tombstone that rows get while it is under way.
    #[serde(skip)]
    pub tombstone: Option<String>,
    /// When it was done.
    pub completed: Option<Timestamp>,
    /// What was done and found afterwards.
    pub certificate: Option<serde_json::Value>,
}

impl Erasure {
    /// Whether it should have been done.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.state != ErasureState::Completed && self.due < now
    }
}

impl State {
    /// Records that a person is to be erased, and logs it: before the first row goes. If that person's erasure is open
    /// already, it is the one that comes back: no other is recorded.
    pub async fn request_erasure(
        &self,
        new: &Erasure,
        entry: &LogEntry,
        now: Timestamp,
    ) -> Result<Erasure, StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        let open =
            sqlx::query("SELECT * FROM erasures WHERE policy = ?1 AND subject_hmac = ?2 AND state <> 'completed'")
                .bind(&new.policy)
                .bind(&new.subject_hmac)
                .fetch_optional(&mut *tx)
                .await
                .map_err(|e| self.error(e))?;
        if let Some(row) = open {
            return read(&row);
        }
        sqlx::query(
            "INSERT INTO erasures (id, policy, database, subject_hmac, reason, requested_by, received_ms, due_ms, state,
                 tombstone, key_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', ?9, ?10)",
        )
        .bind(&new.id)
        .bind(&new.policy)
        .bind(&new.database)
        .bind(&new.subject_hmac)
        .bind(&new.reason)
        .bind(&new.requested_by)
        .bind(to_ms(new.received))
        .bind(to_ms(new.due))
        .bind(&new.tombstone)
        .bind(&new.key_id)
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        append(&mut tx, entry, now).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))?;
        Ok(new.clone())
    }

    /// Records how much further an erasure has come in one place, after the rows' own transaction.
    pub async fn advance_erasure(&self, id: &str, place: &str, rows: u64) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO erasure_rows (erasure, place, rows) VALUES (?1, ?2, ?3)
             ON CONFLICT (erasure, place) DO UPDATE SET rows = rows + excluded.rows",
        )
        .bind(id)
        .bind(place)
        .bind(rows.cast_signed())
        .execute(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        Ok(())
    }

    /// What an erasure has done so far, by place.
    pub async fn erasure_rows(&self, id: &str) -> Result<BTreeMap<String, u64>, StateError> {
        let rows = sqlx::query("SELECT place, rows FROM erasure_rows WHERE erasure = ?1").bind(id);
        let rows = rows.fetch_all(&self.pool).await.map_err(|e| self.error(e))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get::<i64, _>(1).unsigned_abs())).collect())
    }

    /// Records that an erasure waits, or has failed, and why; and logs it.
    pub async fn suspend_erasure(
        &self,
        id: &str,
        state: ErasureState,
        note: &str,
        entry: &LogEntry,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        sqlx::query(
            "UPDATE erasures SET state = ?2, note = ?3, version = version + 1 WHERE id = ?1 AND state <> 'completed'",
        )
        .bind(id)
        .bind(state.as_str())
        .bind(note)
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        append(&mut tx, entry, now).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// Records that an erasure is done, with its certificate, and logs it. Its random tombstone is forgotten.
    pub async fn complete_erasure(
        &self,
        id: &str,
        certificate: &serde_json::Value,
        entry: &LogEntry,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        sqlx::query(
            "UPDATE erasures SET state = 'completed', note = NULL, tombstone = NULL, completed_ms = ?2, certificate = ?3,
                 version = version + 1 WHERE id = ?1",
        )
        .bind(id)
        .bind(to_ms(now))
        .bind(certificate.to_string())
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        append(&mut tx, entry, now).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// One erasure.
    pub async fn erasure(&self, id: &str) -> Result<Option<Erasure>, StateError> {
        let row = sqlx::query("SELECT * FROM erasures WHERE id = ?1").bind(id).fetch_optional(&self.pool).await;
        row.map_err(|e| self.error(e))?.as_ref().map(read).transpose()
    }

    /// The erasures of one person under a policy, the oldest first.
    pub async fn erasures_of(&self, policy: &str, subject_hmac: &str) -> Result<Vec<Erasure>, StateError> {
        let rows =
            sqlx::query("SELECT * FROM erasures WHERE policy = ?1 AND subject_hmac = ?2 ORDER BY received_ms, id")
                .bind(policy)
                .bind(subject_hmac);
        let rows = rows.fetch_all(&self.pool).await.map_err(|e| self.error(e))?;
        rows.iter().map(read).collect()
    }

    /// The erasures under a policy, or under all, the oldest first.
    pub async fn erasures(&self, policy: Option<&str>) -> Result<Vec<Erasure>, StateError> {
        let rows =
            sqlx::query("SELECT * FROM erasures WHERE ?1 IS NULL OR policy = ?1 ORDER BY received_ms, id").bind(policy);
        let rows = rows.fetch_all(&self.pool).await.map_err(|e| self.error(e))?;
        rows.iter().map(read).collect()
    }
}

pub(super) fn read(row: &SqliteRow) -> Result<Erasure, StateError> {
    let state: String = row.get("state");
    let state = ErasureState::parse(&state)
        .ok_or_else(|| StateError::Row { what: "erasure", detail: format!("its state is {state:?}") })?;
    let certificate: Option<String> = row.get("certificate");
    let certificate = certificate.map(|text| serde_json::from_str(&text)).transpose();
    let certificate = certificate
        .map_err(|error| StateError::Row { what: "erasure", detail: format!("its certificate is no JSON: {error}") })?;
    Ok(Erasure {
        id: row.get("id"),
        policy: row.get("policy"),
        database: row.get("database"),
        subject_hmac: row.get("subject_hmac"),
        key_id: row.get("key_id"),
        version: row.get::<u32, _>("version"),
        reason: row.get("reason"),
        requested_by: row.get("requested_by"),
        received: from_ms(row.get("received_ms")),
        due: from_ms(row.get("due_ms")),
        state,
        note: row.get("note"),
        tombstone: row.get("tombstone"),
        completed: row.get::<Option<i64>, _>("completed_ms").map(from_ms),
        certificate,
    })
}
