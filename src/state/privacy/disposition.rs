//! Dispositions: one application of one rule, and how far it has come.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::super::instant::{from_ms, to_ms};
use super::super::{State, StateError};
use super::log::{LogEntry, append};

/// How a disposition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DispositionState {
    /// It was begun and has not ended: its process works, or is gone.
    Running,
    /// All that matched is done.
    Completed,
    /// It ended before that.
    Failed,
    /// It was cut off, and too long ago, or under another form of the policy, to be gone on with.
    Abandoned,
}

impl DispositionState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Completed, Self::Failed, Self::Abandoned].into_iter().find(|state| state.as_str() == text)
    }
}

/// A disposition that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDisposition {
    /// Its UUIDv7.
    pub id: String,
    /// Under which policy, in which form.
    pub policy: String,
    /// The policy's hash.
    pub policy_hash: String,
    /// By which rule.
    pub rule: String,
    /// In which run.
    pub run_id: String,
    /// Rows older than this.
    pub cutoff: Timestamp,
    /// How many rows matched when it was planned.
    pub planned: u64,
    /// When.
    pub started_at: Timestamp,
}

/// How much further a disposition has come with one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progressed {
    /// Rows.
    pub rows: u64,
    /// How long the transaction took, in milliseconds.
    pub took_ms: u64,
}

/// A disposition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disposition {
    /// Its UUIDv7.
    pub id: String,
    /// Under which policy.
    pub policy: String,
    /// In which form of it.
    pub policy_hash: String,
    /// By which rule.
    pub rule: String,
    /// In which run; the last that worked on it.
    pub run_id: String,
    /// Rows older than this.
    pub cutoff: Timestamp,
    /// How it stands.
    pub state: DispositionState,
    /// How many rows matched when it was planned.
    pub planned: u64,
    /// Rows that are gone or changed.
    pub done: u64,
    /// In how many transactions.
    pub batches: u64,
    /// How long those took together, in milliseconds.
    pub busy_ms: u64,
    /// How long the longest took.
    pub longest_ms: u64,
    /// Up to where.
    pub cursor: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl State {
    /// Records that a rule is about to be applied, and logs it: before the first row goes.
    pub async fn begin_disposition(&self, new: &NewDisposition, entry: &LogEntry) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        sqlx::query(
            "INSERT INTO dispositions (id, policy, policy_hash, rule, run_id, cutoff_ms, state, planned, started_ms, database)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'running', ?7, ?8, ?9)",
        )
        .bind(&new.id)
        .bind(&new.policy)
        .bind(&new.policy_hash)
        .bind(&new.rule)
        .bind(&new.run_id)
        .bind(to_ms(new.cutoff))
        .bind(new.planned.cast_signed())
        .bind(to_ms(new.started_at))
        .bind(&entry.database)
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        append(&mut tx, entry, new.started_at).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// Records how far a disposition has come, after the rows' own transaction. Need not survive the machine: what is
    /// done a second time finds nothing to do.
    pub async fn advance_disposition(
        &self,
        id: &str,
        run_id: &str,
        progressed: Progressed,
        cursor: Option<&str>,
    ) -> Result<(), StateError> {
        sqlx::query(
            "UPDATE dispositions SET run_id = ?2, done = done + ?3, batches = batches + 1, busy_ms = busy_ms + ?4,
                 longest_ms = max(longest_ms, ?4), cursor = ?5 WHERE id = ?1",
        )
        .bind(id)
        .bind(run_id)
        .bind(progressed.rows.cast_signed())
        .bind(progressed.took_ms.cast_signed())
        .bind(cursor)
        .execute(&self.swift)
        .await
        .map_err(|e| self.error(e))?;
        Ok(())
    }

    /// Writes down where a disposition stands before something is done that must be found again whatever happens.
    pub async fn mark_disposition(&self, id: &str, cursor: Option<&str>) -> Result<(), StateError> {
        sqlx::query("UPDATE dispositions SET cursor = ?2 WHERE id = ?1")
            .bind(id)
            .bind(cursor)
            .execute(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(())
    }

    /// Records a disposition's end, and logs it.
    pub async fn end_disposition(
        &self,
        id: &str,
        state: DispositionState,
        entry: &LogEntry,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        sqlx::query("UPDATE dispositions SET state = ?2, finished_ms = ?3 WHERE id = ?1")
            .bind(id)
            .bind(state.as_str())
            .bind(to_ms(now))
            .execute(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
        append(&mut tx, entry, now).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// A disposition by its id.
    pub async fn disposition(&self, id: &str) -> Result<Option<Disposition>, StateError> {
        let row = sqlx::query("SELECT * FROM dispositions WHERE id = ?1").bind(id).fetch_optional(&self.pool).await;
        row.map_err(|e| self.error(e))?.as_ref().map(read).transpose()
    }

    /// The dispositions of a policy, the newest first; of one rule, or of all.
    pub async fn dispositions(
        &self,
        policy: &str,
        rule: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Disposition>, StateError> {
        let rows = sqlx::query(
            "SELECT * FROM dispositions WHERE policy = ?1 AND (?2 IS NULL OR rule = ?2)
             ORDER BY started_ms DESC, id DESC LIMIT ?3",
        )
        .bind(policy)
        .bind(rule)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &SqliteRow) -> Result<Disposition, StateError> {
    let state: String = row.get("state");
    let state = DispositionState::parse(&state)
        .ok_or_else(|| StateError::Row { what: "disposition", detail: format!("its state is {state:?}") })?;
    let figure = |column: &str| row.get::<i64, _>(column).unsigned_abs();
    Ok(Disposition {
        id: row.get("id"),
        policy: row.get("policy"),
        policy_hash: row.get("policy_hash"),
        rule: row.get("rule"),
        run_id: row.get("run_id"),
        cutoff: from_ms(row.get("cutoff_ms")),
        state,
        planned: figure("planned"),
        done: figure("done"),
        batches: figure("batches"),
        busy_ms: figure("busy_ms"),
        longest_ms: figure("longest_ms"),
        cursor: row.get("cursor"),
        started_at: from_ms(row.get("started_ms")),
        finished_at: row.get::<Option<i64>, _>("finished_ms").map(from_ms),
    })
}
