//! What was disposed of or erased, as long as a backup may still hold it.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::super::instant::{from_ms, to_ms};
use super::super::{State, StateError};
use super::log::{LogEntry, append};

/// Something that is gone from a database, and perhaps not yet from its backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposed {
    /// A disposition's id, or an erasure's.
    pub id: String,
    /// Whether it is an erasure.
    pub is_erasure: bool,
    /// Under which policy.
    pub policy: String,
    /// From which database.
    pub database: String,
    /// Since when it is gone there: what was begun later does not hold it.
    pub at: Timestamp,
}

impl State {
    /// What backups may still hold, the oldest first.
    pub async fn disposed(&self) -> Result<Vec<Disposed>, StateError> {
        let rows = sqlx::query(
            "SELECT id, 0 AS is_erasure, policy, database, finished_ms AS at_ms FROM dispositions
             WHERE copies_gone_ms IS NULL AND finished_ms IS NOT NULL AND done > 0 AND database IS NOT NULL
             UNION ALL SELECT id, 1, policy, database, completed_ms FROM erasures
             WHERE copies_gone_ms IS NULL AND completed_ms IS NOT NULL ORDER BY at_ms, id",
        );
        Ok(rows.fetch_all(&self.pool).await.map_err(|e| self.error(e))?.iter().map(read).collect())
    }

    /// Records that no backup holds these any more; logs it, where one did.
    pub async fn copies_gone(
        &self,
        disposed: &[&Disposed],
        entry: Option<&LogEntry>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        for one in disposed {
            let update = match one.is_erasure {
                true => "UPDATE erasures SET copies_gone_ms = ?2 WHERE id = ?1",
                false => "UPDATE dispositions SET copies_gone_ms = ?2 WHERE id = ?1",
            };
            let update = sqlx::query(update).bind(&one.id).bind(to_ms(now)).execute(&mut *tx);
            update.await.map_err(|e| self.error(e))?;
        }
        if let Some(entry) = entry {
            append(&mut tx, entry, now).await.map_err(|e| self.error(e))?;
        }
        tx.commit().await.map_err(|e| self.error(e))
    }
}

fn read(row: &SqliteRow) -> Disposed {
    Disposed {
        id: row.get("id"),
        is_erasure: row.get("is_erasure"),
        policy: row.get("policy"),
        database: row.get("database"),
        at: from_ms(row.get("at_ms")),
    }
}
