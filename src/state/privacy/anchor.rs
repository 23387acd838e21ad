//! How far the log is known elsewhere.

use jiff::Timestamp;
use sqlx::Row;

use super::super::instant::to_ms;
use super::super::{State, StateError};

impl State {
    /// The name under which this log's anchors stand in the stores; the first that is given is kept.
    pub async fn log_name(&self, first: &str) -> Result<String, StateError> {
        sqlx::query("INSERT OR IGNORE INTO log_name (one, name) VALUES (1, ?1)")
            .bind(first)
            .execute(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        let row = sqlx::query("SELECT name FROM log_name").fetch_one(&self.pool).await.map_err(|e| self.error(e))?;
        Ok(row.get(0))
    }

    /// Up to which line a store was told of the log; 0: it was never.
    pub async fn anchored(&self, store: &str) -> Result<u64, StateError> {
        let row = sqlx::query("SELECT seq FROM log_anchors WHERE store = ?1")
            .bind(store)
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(row.map_or(0, |row| row.get::<i64, _>(0).unsigned_abs()))
    }

    /// Records that a store was told.
    pub async fn set_anchored(&self, store: &str, seq: u64, now: Timestamp) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO log_anchors (store, seq, at_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT (store) DO UPDATE SET seq = max(seq, excluded.seq), at_ms = excluded.at_ms",
        )
        .bind(store)
        .bind(seq.cast_signed())
        .bind(to_ms(now))
        .execute(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        Ok(())
    }
}
