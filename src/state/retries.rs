//! What of runs waits, and what is forgotten: further attempts of slots whose runs failed, and old history.

use jiff::Timestamp;

use super::instant::to_ms;
use super::runs::read;
use super::{Run, State, StateError};

impl State {
    /// The failed runs whose slots wait for another attempt, the newest first.
    pub async fn runs_to_retry(&self) -> Result<Vec<Run>, StateError> {
        let rows = sqlx::query(
            "SELECT r.* FROM slots s JOIN runs r ON r.id =
                 (SELECT max(id) FROM runs WHERE job = s.job AND slot_ms = s.slot_ms)
             WHERE s.state = 'claimed' AND r.state <> 'running' ORDER BY r.id DESC",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        rows.iter().map(read).collect()
    }

    /// Gives up a slot that waits for another attempt after this run. `false`: it does not wait (any more).
    pub async fn cancel_retry(&self, run: &str, now: Timestamp) -> Result<bool, StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        let done = sqlx::query(
            "UPDATE slots SET state = 'failed', settled_ms = ?2 WHERE state = 'claimed'
             AND (job, slot_ms) = (SELECT job, slot_ms FROM runs WHERE id = ?1)
             AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.job = slots.job AND r.slot_ms = slots.slot_ms
                             AND r.state = 'running')",
        )
        .bind(run)
        .bind(to_ms(now))
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        sqlx::query("UPDATE runs SET retry_ms = NULL, cancel_requested_ms = ?2 WHERE id = ?1 AND ?3")
            .bind(run)
            .bind(to_ms(now))
            .bind(done.rows_affected() == 1)
            .execute(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets a job's runs but the newest, and the slots that were settled with them.
    pub async fn forget_runs(&self, job: &str, keep: u32) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        sqlx::query(
            "DELETE FROM runs WHERE job = ?1 AND state <> 'running' AND id NOT IN
                 (SELECT id FROM runs WHERE job = ?1 ORDER BY started_ms DESC, id DESC LIMIT ?2)",
        )
        .bind(job)
        .bind(keep)
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        // The newest slot stays in any case: it says up to where the occurrences are accounted for.
        sqlx::query(
            "DELETE FROM slots WHERE job = ?1 AND state <> 'claimed' AND slot_ms NOT IN
                 (SELECT slot_ms FROM slots WHERE job = ?1 ORDER BY slot_ms DESC LIMIT max(?2, 1))",
        )
        .bind(job)
        .bind(keep)
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))
    }
}
