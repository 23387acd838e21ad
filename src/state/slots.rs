//! The ledger: which occurrence of which job was claimed, passed over, settled.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::instant::{from_ms, to_ms};
use super::{State, StateError, outcome};

/// Why a slot's row was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotCause {
    /// Its time had come.
    OnTime,
    /// Its time had passed; it runs for all that were missed.
    CatchUp,
    /// Its time had passed, and the job does not catch up.
    Skipped,
}

impl SlotCause {
    fn as_str(self) -> &'static str {
        match self {
            Self::OnTime => "on_time",
            Self::CatchUp => "catch_up",
            Self::Skipped => "skipped",
        }
    }
}

/// A slot to be claimed, or to be recorded as passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The job's full name.
    pub job: String,
    /// The occurrence.
    pub slot: Timestamp,
    /// Why.
    pub cause: SlotCause,
    /// How many other occurrences it stands for.
    pub missed: u64,
}

/// A slot that was claimed and not settled: queued, running, or cut off by a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSlot {
    /// The job's full name.
    pub job: String,
    /// The occurrence.
    pub slot: Timestamp,
    /// How many runs it has had.
    pub runs: u32,
    /// How many of them failed by themselves.
    pub failed: u32,
    /// How many of them ended with their process.
    pub interruptions: u32,
    /// The last of them.
    pub last_run: Option<String>,
}

/// A claimed slot that will not be run any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abandoned {
    /// The job's full name.
    pub job: String,
    /// The occurrence.
    pub slot: Timestamp,
    /// Whether it has had runs, none of which came to its end.
    pub failed: bool,
    /// Given up for good after so many runs that were cut off: an incident. `None`: something newer runs in its place.
    pub given_up: Option<u32>,
}

/// Up to where each job's occurrences are accounted for: its newest slot that does not lie in the future, or else its
/// anchor. Slots in the future come of a clock that was wrong; once it is right again, jobs must not wait for them.
pub type Ledger = BTreeMap<String, Timestamp>;

const LEDGER: &str = "SELECT j.job, max(min(j.anchor_ms, ?1),
        coalesce((SELECT max(slot_ms) FROM slots s WHERE s.job = j.job AND s.slot_ms <= ?1), 0))
    FROM jobs j";

impl State {
    /// Makes the jobs of the configuration known, as (full name, schedule with zone). A job that is new, or whose
    /// schedule has changed, counts from `now` on. Returns the ledger of all of them.
    pub async fn register_jobs(&self, jobs: &[(String, String)], now: Timestamp) -> Result<Ledger, StateError> {
        let mut tx = self.pool.begin().await.map_err(|e| self.error(e))?;
        for (job, schedule) in jobs {
            sqlx::query(
                "INSERT INTO jobs (job, schedule, anchor_ms) VALUES (?1, ?2, ?3)
                 ON CONFLICT (job) DO UPDATE SET schedule = excluded.schedule, anchor_ms = excluded.anchor_ms
                 WHERE jobs.schedule <> excluded.schedule",
            )
            .bind(job)
            .bind(schedule)
            .bind(to_ms(now))
            .execute(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
        }
        let rows = sqlx::query(LEDGER).bind(to_ms(now)).fetch_all(&mut *tx).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))?;
        let all: Ledger = rows.iter().map(|row| (row.get(0), from_ms(row.get(1)))).collect();
        Ok(jobs.iter().filter_map(|(job, _)| all.get_key_value(job)).map(|(job, at)| (job.clone(), *at)).collect())
    }

    /// The ledger of every job that was ever registered; changes nothing.
    pub async fn ledger(&self, now: Timestamp) -> Result<Ledger, StateError> {
        let rows = sqlx::query(LEDGER).bind(to_ms(now)).fetch_all(&self.pool).await.map_err(|e| self.error(e))?;
        Ok(rows.iter().map(|row| (row.get(0), from_ms(row.get(1)))).collect())
    }

    /// Claims slots, all in one transaction: which of them are ours? `false`: another process was first.
    pub async fn claim_slots(&self, claims: &[Claim], now: Timestamp) -> Result<Vec<bool>, StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        let mut ours = Vec::with_capacity(claims.len());
        for claim in claims {
            let state = if claim.cause == SlotCause::Skipped { "skipped" } else { "claimed" };
            let done = sqlx::query(
                "INSERT INTO slots (job, slot_ms, cause, missed, state, claimed_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO NOTHING",
            )
            .bind(&claim.job)
            .bind(to_ms(claim.slot))
            .bind(claim.cause.as_str())
            .bind(i64::try_from(claim.missed).unwrap_or(i64::MAX))
            .bind(state)
            .bind(to_ms(now))
            .execute(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
            ours.push(done.rows_affected() == 1);
        }
        tx.commit().await.map_err(|e| self.error(e))?;
        Ok(ours)
    }

    /// The slots that are claimed and not settled, oldest first.
    pub async fn open_slots(&self) -> Result<Vec<OpenSlot>, StateError> {
        let rows = sqlx::query(
            "SELECT s.job, s.slot_ms, count(r.id), coalesce(sum(r.state IN ('failed', 'partial')), 0),
                    coalesce(sum(r.state IN ('running', 'interrupted')), 0), max(r.id)
             FROM slots s LEFT JOIN runs r ON r.job = s.job AND r.slot_ms = s.slot_ms
             WHERE s.state = 'claimed' GROUP BY s.job, s.slot_ms ORDER BY s.slot_ms, s.job",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        let count = |row: &SqliteRow, column: usize| row.get::<i64, _>(column).try_into().unwrap_or(u32::MAX);
        Ok(rows
            .iter()
            .map(|row| OpenSlot {
                job: row.get(0),
                slot: from_ms(row.get(1)),
                runs: count(row, 2),
                failed: count(row, 3),
                interruptions: count(row, 4),
                last_run: row.get(5),
            })
            .collect())
    }

    /// Settles slots that will not be run any more, all in one transaction.
    pub async fn abandon_slots(&self, slots: &[Abandoned], now: Timestamp) -> Result<(), StateError> {
        if slots.is_empty() {
            return Ok(());
        }
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        for slot in slots {
            sqlx::query(
                "UPDATE slots SET state = ?3, settled_ms = ?4 WHERE job = ?1 AND slot_ms = ?2 AND state = 'claimed'",
            )
            .bind(&slot.job)
            .bind(to_ms(slot.slot))
            .bind(if slot.failed { "failed" } else { "skipped" })
            .bind(to_ms(now))
            .execute(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
            if let Some(interruptions) = slot.given_up {
                outcome::record_given_up(&mut tx, &slot.job, slot.slot, interruptions, now)
                    .await
                    .map_err(|e| self.error(e))?;
            }
        }
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// By job: how many occurrences the ledger accounts for, by a row of their own or in another's.
    #[cfg(test)]
    pub async fn accounted_slots(&self) -> Result<BTreeMap<String, i64>, StateError> {
        let rows = sqlx::query("SELECT job, sum(missed + (cause <> 'skipped')) FROM slots GROUP BY job")
            .fetch_all(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}
