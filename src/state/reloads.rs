//! Requests to the daemon to read its configuration again, and its answers.

use jiff::Timestamp;
use sqlx::Row;

use super::instant::to_ms;
use super::{State, StateError};

/// The daemon's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadAnswer {
    /// Whether the new configuration is in force.
    pub accepted: bool,
    /// Why not, or what changed.
    pub message: String,
}

impl State {
    /// Leaves a request; the daemon is woken by SIGHUP.
    pub async fn request_reload(&self, id: &str, now: Timestamp) -> Result<(), StateError> {
        sqlx::query("INSERT INTO reloads (id, requested_ms) VALUES (?1, ?2)")
            .bind(id)
            .bind(to_ms(now))
            .execute(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(())
    }

    /// Answers every open request, and forgets those older than a day.
    pub async fn answer_reloads(&self, answer: &ReloadAnswer, now: Timestamp) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        sqlx::query("UPDATE reloads SET answered_ms = ?1, accepted = ?2, message = ?3 WHERE answered_ms IS NULL")
            .bind(to_ms(now))
            .bind(answer.accepted)
            .bind(&answer.message)
            .execute(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
        sqlx::query("DELETE FROM reloads WHERE requested_ms < ?1")
            .bind(to_ms(now) - 24 * 60 * 60 * 1000)
            .execute(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// The answer to a request, once there is one.
    pub async fn reload_answer(&self, id: &str) -> Result<Option<ReloadAnswer>, StateError> {
        let row = sqlx::query("SELECT accepted, message FROM reloads WHERE id = ?1 AND answered_ms IS NOT NULL")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(row.map(|row| ReloadAnswer { accepted: row.get(0), message: row.get(1) }))
    }
}
