//! Legal holds: what must be kept for the time being, whatever the policy says.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::super::instant::{from_ms, to_ms};
use super::super::{State, StateError};
use super::log::{LogEntry, LogHead, append};

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Its UUIDv7.
    pub id: String,
    /// Under which policy.
    pub policy: String,
    /// What is held.
    #[serde(flatten)]
    pub held: Held,
    /// Why.
    pub reason: String,
    /// By whom.
    pub made_by: String,
    /// When.
    pub made_at: Timestamp,
    /// Until when; `None`: until it is released.
    pub until: Option<Timestamp>,
    /// When it was released.
    pub released_at: Option<Timestamp>,
    /// By whom.
    pub released_by: Option<String>,
}

/// What is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// A person, by the key that the policy's subject has.
    Subject(String),
    /// Rows of a table that a condition holds for.
    Rows {
        /// The table, as the policy names it.
        table: String,
        /// The condition, as SQL.
        #[serde(rename = "where")]
        condition: String,
    },
}

impl Hold {
    /// Whether it holds at an instant.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.released_at.is_none() && self.until.is_none_or(|until| until > now)
    }
}

impl State {
    /// Puts a hold, and logs it.
    pub async fn add_hold(&self, hold: &Hold, entry: &LogEntry) -> Result<LogHead, StateError> {
        let (subject, table, condition) = match &hold.held {
            Held::Subject(subject) => (Some(subject), None, None),
            Held::Rows { table, condition } => (None, Some(table), Some(condition)),
        };
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        sqlx::query(
            "INSERT INTO holds (id, policy, subject, rows_table, rows_where, reason, made_by, made_ms, until_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .bind(&hold.id)
        .bind(&hold.policy)
        .bind(subject)
        .bind(table)
        .bind(condition)
        .bind(&hold.reason)
        .bind(&hold.made_by)
        .bind(to_ms(hold.made_at))
        .bind(hold.until.map(to_ms))
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        let head = append(&mut tx, entry, hold.made_at).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))?;
        Ok(head)
    }

    /// Releases a hold that holds, and logs it; `None`: it holds no more.
    pub async fn release_hold(
        &self,
        id: &str,
        by: &str,
        entry: &LogEntry,
        now: Timestamp,
    ) -> Result<Option<LogHead>, StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        let released =
            sqlx::query("UPDATE holds SET released_ms = ?2, released_by = ?3 WHERE id = ?1 AND released_ms IS NULL")
                .bind(id)
                .bind(to_ms(now))
                .bind(by)
                .execute(&mut *tx)
                .await
                .map_err(|e| self.error(e))?;
        if released.rows_affected() == 0 {
            return Ok(None);
        }
        let head = append(&mut tx, entry, now).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))?;
        Ok(Some(head))
    }

    /// The holds under a policy, or under all, the oldest first; those that hold, or all there ever were.
    pub async fn holds(&self, policy: Option<&str>, active_at: Option<Timestamp>) -> Result<Vec<Hold>, StateError> {
        let rows = sqlx::query(
            "SELECT * FROM holds WHERE (?1 IS NULL OR policy = ?1)
                 AND (?2 IS NULL OR (released_ms IS NULL AND (until_ms IS NULL OR until_ms > ?2)))
             ORDER BY made_ms, id",
        )
        .bind(policy)
        .bind(active_at.map(to_ms))
        .fetch_all(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &SqliteRow) -> Result<Hold, StateError> {
    let held = match (row.get("subject"), row.get("rows_table"), row.get("rows_where")) {
        (Some(subject), None, None) => Held::Subject(subject),
        (None, Some(table), Some(condition)) => Held::Rows { table, condition },
        // The table's own conditions keep such a row out.
        _ => return Err(StateError::Row { what: "hold", detail: "it holds neither a person nor rows".to_owned() }),
    };
    Ok(Hold {
        id: row.get("id"),
        policy: row.get("policy"),
        held,
        reason: row.get("reason"),
        made_by: row.get("made_by"),
        made_at: from_ms(row.get("made_ms")),
        until: row.get::<Option<i64>, _>("until_ms").map(from_ms),
        released_at: row.get::<Option<i64>, _>("released_ms").map(from_ms),
        released_by: row.get("released_by"),
    })
}
