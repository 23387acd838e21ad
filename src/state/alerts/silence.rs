//! Silences: what people do not want to hear of for a while.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::super::instant::{from_ms, to_ms};
use super::super::{State, StateError};

/// Something that is not told of until its time is over, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// Its UUIDv7.
    pub id: String,
    /// A check, a job, a database, or `DATABASE/CHECK`.
    pub target: String,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub made_by: String,
    /// When.
    pub made_at: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// The silences that hold at an instant.
pub(super) async fn active(
    connection: &mut sqlx::SqliteConnection,
    now: Timestamp,
) -> Result<Vec<Silence>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM silences WHERE until_ms > ?1 ORDER BY made_ms, id")
        .bind(to_ms(now))
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(read).collect())
}

impl State {
    /// Silences something.
    pub async fn silence(&self, silence: &Silence) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO silences (id, target, reason, made_by, made_ms, until_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .bind(&silence.id)
        .bind(&silence.target)
        .bind(&silence.reason)
        .bind(&silence.made_by)
        .bind(to_ms(silence.made_at))
        .bind(to_ms(silence.until))
        .execute(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        Ok(())
    }

    /// The silences that hold at an instant, the oldest first.
    pub async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StateError> {
        let mut connection = self.pool.acquire().await.map_err(|e| self.error(e))?;
        active(&mut connection, now).await.map_err(|e| self.error(e))
    }

    /// Ends the silences of this target, or with this id or an id that begins or ends so. Gives those that it ended.
    pub async fn unsilence(&self, what: &str, now: Timestamp) -> Result<Vec<Silence>, StateError> {
        let rows = sqlx::query(
            "UPDATE silences SET until_ms = ?2 WHERE until_ms > ?2 AND (target = ?1 OR (length(?1) >= 4
                 AND (substr(id, 1, length(?1)) = ?1 OR substr(id, -length(?1)) = ?1))) RETURNING *",
        )
        .bind(what)
        .bind(to_ms(now))
        .fetch_all(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        Ok(rows.iter().map(read).collect())
    }
}

fn read(row: &SqliteRow) -> Silence {
    Silence {
        id: row.get("id"),
        target: row.get("target"),
        reason: row.get("reason"),
        made_by: row.get("made_by"),
        made_at: from_ms(row.get("made_ms")),
        until: from_ms(row.get("until_ms")),
    }
}
