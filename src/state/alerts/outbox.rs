//! The outbox: notifications that wait for their delivery, and what became of the others.
//!
//! What a delivery has come to is written without waiting for the disk: a process that is killed loses none of it, since
//! the operating system has it. A machine that loses power may forget the last of them, and delivers those once more,
//! under the same Message-ID.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::super::checks::record;
use super::super::instant::{from_ms, to_ms};
use super::super::runs::text_enum;
use super::super::{Observation, State, StateError};

/// A notification that is about to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    /// The message's UUIDv7, shared by all its recipients.
    pub message_id: String,
    /// Through which channel.
    pub channel: String,
    /// To whom.
    pub recipient: String,
    /// The message, as JSON.
    pub message: String,
    /// When it is of no use any more.
    pub expires_at: Timestamp,
}

/// What has become of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum NotificationState {
    Waiting,
    Delivered,
    /// Another attempt would not help.
    Refused,
    /// It was too late.
    Expired,
}

text_enum!(
    NotificationState,
    "state of a notification",
    Waiting = "waiting",
    Delivered = "delivered",
    Refused = "refused",
    Expired = "expired",
);

/// A notification as it is remembered.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "see NewNotification and Sent")]
pub struct Notification {
    /// Its place in the order of all.
    pub seq: i64,
    pub message_id: String,
    pub channel: String,
    pub recipient: String,
    pub message: serde_json::Value,
    pub state: NotificationState,
    pub queued_at: Timestamp,
    pub expires_at: Timestamp,
    /// How often it was tried in vain, or at all.
    pub attempts: u32,
    /// When it was tried last.
    pub tried_at: Option<Timestamp>,
    /// When it is tried again.
    pub next_at: Option<Timestamp>,
    pub settled_at: Option<Timestamp>,
    /// What the other side answered, or what went wrong.
    pub answer: Option<String>,
}

/// What an attempt has come to.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The notification.
    pub seq: i64,
    /// What has become of it.
    pub state: NotificationState,
    /// What the other side answered, or what went wrong.
    pub answer: String,
    /// Whether it was tried at all, or only found to be too late.
    pub tried: bool,
    /// When it is tried again, if it waits.
    pub next_at: Option<Timestamp>,
    /// What follows for the channel's own incident.
    pub observation: Option<Observation>,
}

/// A recipient's queue, in figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutboxCount {
    /// The channel.
    pub channel: String,
    /// The recipient.
    pub recipient: String,
    /// How many wait.
    pub waiting: u64,
    /// Since when the oldest waits.
    pub oldest: Timestamp,
    /// What went wrong at the last attempt of any of them.
    pub answer: Option<String>,
}

impl State {
    /// The recipients for whom something waits.
    pub async fn outbox_waiting(&self) -> Result<Vec<OutboxCount>, StateError> {
        // With a bare column beside max(), SQLite takes it from the row that has the maximum.
        let rows = sqlx::query(
            "SELECT channel, recipient, count(*) AS waiting, min(queued_ms) AS oldest_ms, answer, max(tried_ms)
             FROM outbox WHERE state = 'waiting' GROUP BY channel, recipient",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        Ok(rows
            .iter()
            .map(|row| OutboxCount {
                channel: row.get("channel"),
                recipient: row.get("recipient"),
                waiting: row.get::<i64, _>("waiting").try_into().unwrap_or(0),
                oldest: from_ms(row.get("oldest_ms")),
                answer: row.get("answer"),
            })
            .collect())
    }

    /// The recipients for whom something waits, as channel and address; without looking at what it is.
    pub async fn outbox_recipients(&self) -> Result<Vec<(String, String)>, StateError> {
        let rows = sqlx::query("SELECT DISTINCT channel, recipient FROM outbox WHERE state = 'waiting'")
            .fetch_all(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// The oldest notifications that wait for a recipient, in their order.
    pub async fn outbox_of(&self, channel: &str, recipient: &str, limit: u32) -> Result<Vec<Notification>, StateError> {
        let rows = sqlx::query(
            "SELECT * FROM outbox WHERE state = 'waiting' AND channel = ?1 AND recipient = ?2 ORDER BY seq LIMIT ?3",
        )
        .bind(channel)
        .bind(recipient)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        rows.iter().map(read).collect()
    }

    /// What waits; with `all`, also what was settled. The newest first.
    pub async fn outbox(&self, all: bool, limit: u32) -> Result<Vec<Notification>, StateError> {
        let rows = sqlx::query("SELECT * FROM outbox WHERE ?1 OR state = 'waiting' ORDER BY seq DESC LIMIT ?2")
            .bind(all)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        rows.iter().map(read).collect()
    }

    /// Writes down what an attempt has come to.
    pub async fn settle_notification(&self, sent: &Sent, now: Timestamp) -> Result<(), StateError> {
        // Where an observation follows, the disk is waited for, as with every observation.
        let pool = if sent.observation.is_some() { &self.pool } else { &self.swift };
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        let settled = (sent.state != NotificationState::Waiting).then(|| to_ms(now));
        sqlx::query(
            "UPDATE outbox SET state = ?2, answer = ?3, attempts = attempts + ?4, settled_ms = ?6, next_ms = ?7,
                 tried_ms = CASE WHEN ?4 THEN ?5 ELSE tried_ms END
             WHERE seq = ?1 AND state = 'waiting'",
        )
        .bind(sent.seq)
        .bind(sent.state.as_str())
        .bind(&sent.answer)
        .bind(sent.tried)
        .bind(to_ms(now))
        .bind(settled)
        .bind(sent.next_at.map(to_ms))
        .execute(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        if let Some(observation) = &sent.observation {
            record(&mut tx, observation).await.map_err(|e| self.error(e))?;
        }
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// Forgets what was settled, and incidents that were over, before these instants.
    pub async fn forget_alerts(&self, notifications: Timestamp, incidents: Timestamp) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        for (sql, before) in [
            ("DELETE FROM outbox WHERE settled_ms < ?1", notifications),
            ("DELETE FROM silences WHERE until_ms < ?1", notifications),
            ("DELETE FROM incidents WHERE closed_ms < ?1", incidents),
        ] {
            sqlx::query(sql).bind(to_ms(before)).execute(&mut *tx).await.map_err(|e| self.error(e))?;
        }
        tx.commit().await.map_err(|e| self.error(e))
    }
}

fn read(row: &SqliteRow) -> Result<Notification, StateError> {
    let text: String = row.get("message");
    let instant = |column: &str| row.get::<Option<i64>, _>(column).map(from_ms);
    Ok(Notification {
        seq: row.get("seq"),
        message_id: row.get("message_id"),
        channel: row.get("channel"),
        recipient: row.get("recipient"),
        message: serde_json::from_str(&text)
            .map_err(|error| StateError::Row { what: "message", detail: format!("{error}: {text}") })?,
        state: NotificationState::read(row.get("state"))?,
        queued_at: from_ms(row.get("queued_ms")),
        expires_at: from_ms(row.get("expires_ms")),
        attempts: row.get::<i64, _>("attempts").try_into().unwrap_or(u32::MAX),
        tried_at: instant("tried_ms"),
        next_at: instant("next_ms"),
        settled_at: instant("settled_ms"),
        answer: row.get("answer"),
    })
}
