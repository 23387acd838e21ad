//! Runs: begun, making progress, asked to stop, finished.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::instant::{from_ms, to_ms};
use super::outcome;
use super::{State, StateError};

/// Why a run was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its slot's time had come.
    OnTime,
    /// For slots that were missed.
    CatchUp,
    /// By a person.
    Manual,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum RunState {
    Running,
    Succeeded,
    /// Some of it succeeded: not every store has its copy.
    Partial,
    Failed,
    Cancelled,
    /// Its process is gone.
    Interrupted,
}

macro_rules! text_enum {
    ($type:ident, $what:literal, $($variant:ident = $text:literal),+ $(,)?) => {
        impl $type {
            /// The value as the store holds it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            pub(super) fn read(text: &str) -> Result<Self, StateError> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => Err(StateError::Row { what: $what, detail: format!("`{other}`") }),
                }
            }
        }
    };
}
pub(super) use text_enum;

text_enum!(Cause, "cause", OnTime = "on_time", CatchUp = "catch_up", Manual = "manual");
text_enum!(
    RunState,
    "run state",
    Running = "running",
    Succeeded = "succeeded",
    Partial = "partial",
    Failed = "failed",
    Cancelled = "cancelled",
    Interrupted = "interrupted",
);

/// A run about to begin.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its UUIDv7.
    pub id: String,
    /// The job's full name.
    pub job: String,
    /// The occurrence it serves, if any.
    pub slot: Option<Timestamp>,
    /// Why.
    pub cause: Cause,
    /// 1 for the first of its slot.
    pub attempt: u32,
    /// Now.
    pub started_at: Timestamp,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// Never [`RunState::Running`].
    pub state: RunState,
    /// What went wrong.
    pub error: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// What was done, as JSON.
    pub summary: Option<String>,
    /// Whether its slot is settled with it, or another attempt will follow.
    pub settles: bool,
    /// When that attempt is due, if it failed.
    pub retry_at: Option<Timestamp>,
    /// Now.
    pub finished_at: Timestamp,
}

/// A run as it is remembered.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "see NewRun and RunEnd")]
pub struct Run {
    pub id: String,
    pub job: String,
    pub slot: Option<Timestamp>,
    pub cause: Cause,
    pub attempt: u32,
    pub state: RunState,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub retry_at: Option<Timestamp>,
    pub host: String,
    pub pid: i64,
    pub progress: Option<serde_json::Value>,
    pub cancel_requested_at: Option<Timestamp>,
    pub error: Option<String>,
    pub hint: Option<String>,
    pub summary: Option<serde_json::Value>,
}

/// Which runs are wanted.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only this job's.
    pub job: Option<String>,
    /// Only those that are `running`.
    pub running: bool,
    /// Only those that were begun since.
    pub since: Option<Timestamp>,
    /// At most so many, the newest; 0: all.
    pub limit: u32,
}

fn json(text: Option<String>) -> Option<serde_json::Value> {
    text.and_then(|text| serde_json::from_str(&text).ok())
}

pub(super) fn read(row: &SqliteRow) -> Result<Run, StateError> {
    Ok(Run {
        id: row.get("id"),
        job: row.get("job"),
        slot: row.get::<Option<i64>, _>("slot_ms").map(from_ms),
        cause: Cause::read(row.get("cause"))?,
        attempt: row.get::<i64, _>("attempt").try_into().unwrap_or(0),
        state: RunState::read(row.get("state"))?,
        started_at: from_ms(row.get("started_ms")),
        finished_at: row.get::<Option<i64>, _>("finished_ms").map(from_ms),
        retry_at: row.get::<Option<i64>, _>("retry_ms").map(from_ms),
        host: row.get("host"),
        pid: row.get("pid"),
        progress: json(row.get("progress")),
        cancel_requested_at: row.get::<Option<i64>, _>("cancel_requested_ms").map(from_ms),
        error: row.get("error"),
        hint: row.get("hint"),
        summary: json(row.get("summary")),
    })
}

impl State {
    /// Records that a run has begun. Its lease must be held. `false`: its slot is settled, and nothing has begun.
    pub async fn begin_run(&self, run: &NewRun) -> Result<bool, StateError> {
        let done = sqlx::query(
            "INSERT INTO runs (id, job, slot_ms, cause, attempt, state, started_ms, host, pid)
             SELECT ?1, ?2, ?3, ?4, ?5, 'running', ?6, ?7, ?8 WHERE ?3 IS NULL
             OR EXISTS (SELECT 1 FROM slots WHERE job = ?2 AND slot_ms = ?3 AND state = 'claimed')",
        )
        .bind(&run.id)
        .bind(&run.job)
        .bind(run.slot.map(to_ms))
        .bind(run.cause.as_str())
        .bind(run.attempt)
        .bind(to_ms(run.started_at))
        .bind(rustix::system::uname().nodename().to_string_lossy().into_owned())
        .bind(std::process::id())
        .execute(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        Ok(done.rows_affected() == 1)
    }

    /// Publishes a run's progress. Returns whether somebody has asked for it to be cancelled.
    pub async fn publish_progress(&self, id: &str, progress: Option<&str>) -> Result<bool, StateError> {
        let asked: Option<Option<i64>> = match progress {
            Some(progress) => {
                sqlx::query_scalar("UPDATE runs SET progress = ?2 WHERE id = ?1 RETURNING cancel_requested_ms")
                    .bind(id)
                    .bind(progress)
                    .fetch_optional(&self.pool)
                    .await
            }
            None => {
                sqlx::query_scalar("SELECT cancel_requested_ms FROM runs WHERE id = ?1")
                    .bind(id)
                    .fetch_optional(&self.pool)
                    .await
            }
        }
        .map_err(|e| self.error(e))?;
        Ok(asked.flatten().is_some())
    }

    /// Records a run's end and, if it settles its slot, that too.
    pub async fn finish_run(&self, id: &str, end: &RunEnd) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        sqlx::query(
            "UPDATE runs SET state = ?2, finished_ms = ?3, error = ?4, hint = ?5, summary = ?6, retry_ms = ?7
             WHERE id = ?1 AND state = 'running'",
        )
        .bind(id)
        .bind(end.state.as_str())
        .bind(to_ms(end.finished_at))
        .bind(&end.error)
        .bind(&end.hint)
        .bind(&end.summary)
        .bind(end.retry_at.map(to_ms))
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        outcome::record_end(&mut tx, id, end).await.map_err(|e| self.error(e))?;
        if end.settles {
            let state = if end.state == RunState::Succeeded { "done" } else { "failed" };
            sqlx::query(
                "UPDATE slots SET state = ?2, settled_ms = ?3 WHERE state = 'claimed'
                 AND (job, slot_ms) = (SELECT job, slot_ms FROM runs WHERE id = ?1)",
            )
            .bind(id)
            .bind(state)
            .bind(to_ms(end.finished_at))
            .execute(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
        }
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// Marks a job's runs that are still `running` as interrupted and returns how many there were. Only the holder of
    /// the job's lease may call this: then their processes are gone.
    pub async fn interrupt_runs(&self, job: &str, now: Timestamp) -> Result<u64, StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        let done = sqlx::query(
            "UPDATE runs SET state = 'interrupted', finished_ms = ?2, error = 'its process is gone'
             WHERE job = ?1 AND state = 'running'",
        )
        .bind(job)
        .bind(to_ms(now))
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        if done.rows_affected() > 0 {
            outcome::record_interruption(&mut tx, job, now).await.map_err(|e| self.error(e))?;
        }
        tx.commit().await.map_err(|e| self.error(e))?;
        Ok(done.rows_affected())
    }

    /// Asks for a running run to be cancelled. `false`: there is no such run, or it has ended.
    pub async fn request_cancel(&self, id: &str, now: Timestamp) -> Result<bool, StateError> {
        let done = sqlx::query(
            "UPDATE runs SET cancel_requested_ms = coalesce(cancel_requested_ms, ?2) WHERE id = ?1 AND state = 'running'",
        )
        .bind(id)
        .bind(to_ms(now))
        .execute(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        Ok(done.rows_affected() == 1)
    }

    /// A run by its id.
    pub async fn run(&self, id: &str) -> Result<Option<Run>, StateError> {
        let row = sqlx::query("SELECT * FROM runs WHERE id = ?1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        row.as_ref().map(read).transpose()
    }

    /// Runs, the newest first.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>, StateError> {
        let rows = sqlx::query(
            "SELECT * FROM runs WHERE (?1 IS NULL OR job = ?1) AND (NOT ?2 OR state = 'running')
                 AND (?4 IS NULL OR started_ms >= ?4)
             ORDER BY started_ms DESC, id DESC LIMIT ?3",
        )
        .bind(&filter.job)
        .bind(filter.running)
        .bind(if filter.limit == 0 { -1 } else { i64::from(filter.limit) })
        .bind(filter.since.map(to_ms))
        .fetch_all(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        rows.iter().map(read).collect()
    }

    /// When a run of this job last succeeded.
    pub async fn last_success(&self, job: &str) -> Result<Option<Timestamp>, StateError> {
        let at: Option<i64> =
            sqlx::query_scalar("SELECT max(finished_ms) FROM runs WHERE job = ?1 AND state = 'succeeded'")
                .bind(job)
                .fetch_one(&self.pool)
                .await
                .map_err(|e| self.error(e))?;
        Ok(at.map(from_ms))
    }

    /// Each job's newest run.
    pub async fn last_runs(&self) -> Result<Vec<Run>, StateError> {
        let rows = sqlx::query(
            "SELECT r.* FROM runs r WHERE r.id = (SELECT id FROM runs WHERE job = r.job ORDER BY started_ms DESC, id DESC LIMIT 1)",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        rows.iter().map(read).collect()
    }

    /// The full names of the jobs that have runs marked `running`, or backups being written or removed: what a crash
    /// may have left.
    pub async fn unsettled_leases(&self) -> Result<Vec<String>, StateError> {
        sqlx::query_scalar(
            "SELECT job FROM runs WHERE state = 'running'
             UNION SELECT b.lease FROM backups b JOIN backup_copies c ON c.backup_id = b.id
             WHERE c.state IN ('writing', 'leftover', 'deleting')",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|e| self.error(e))
    }
}
