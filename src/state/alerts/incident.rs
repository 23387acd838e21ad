//! Incidents as they are remembered.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::super::instant::{from_ms, to_ms};
use super::super::{CheckKey, Observation, State, StateError, Status};

/// A check or a job that is not as it should be, from first to last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incident {
    /// Its UUIDv7.
    pub id: String,
    /// What is wrong.
    #[serde(flatten)]
    pub key: CheckKey,
    /// What it is; once it is over, what it was last.
    pub status: Status,
    /// The worst it has been.
    pub worst: Status,
    /// Since when things were not as they should be.
    pub since: Timestamp,
    /// When that became an incident.
    pub opened_at: Timestamp,
    /// When its status changed last.
    pub changed_at: Timestamp,
    /// When it was over.
    pub closed_at: Option<Timestamp>,
    /// Since when it has been going back and forth.
    pub flapping_at: Option<Timestamp>,
    /// When somebody said that they are on it.
    pub acked_at: Option<Timestamp>,
    /// Who.
    pub acked_by: Option<String>,
    /// What was observed last.
    pub last: Observation,
    /// What was observed at its worst.
    pub at_worst: Observation,
}

/// What a channel was last told of an incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// What it was said to be; OK: that it is over.
    pub status: Status,
    /// Whether it was said to go back and forth.
    pub flapping: bool,
    /// Whether it was said that nobody is on it.
    pub escalated: bool,
    /// Whether it was said that somebody is.
    pub acked: bool,
    /// When the channel first heard of it.
    pub first_at: Timestamp,
    /// When it last did.
    pub last_at: Timestamp,
    /// How many reminders there were.
    pub reminders: u32,
}

/// An incident that is not finished with, and what was told of it, by channel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// The incident.
    #[serde(flatten)]
    pub incident: Incident,
    /// By the channel's name.
    pub told: BTreeMap<String, Told>,
}

/// Which incidents are wanted.
const UNFINISHED: &str = "SELECT * FROM incidents WHERE closed_ms IS NULL
     UNION SELECT * FROM incidents WHERE id IN (SELECT incident_id FROM told WHERE status <> 'ok')
         AND closed_ms IS NOT NULL ORDER BY 1";

/// What was told of them; of those that are over, only what is not at its end.
const TOLD: &str = "SELECT t.* FROM told t JOIN incidents i ON i.id = t.incident_id WHERE i.closed_ms IS NULL
     UNION SELECT * FROM told WHERE status <> 'ok'";

/// The incidents that are open, or over without everybody having been told.
pub(super) async fn unfinished(connection: &mut sqlx::SqliteConnection) -> Result<Vec<Standing>, Fault> {
    let mut told: BTreeMap<String, BTreeMap<String, Told>> = BTreeMap::new();
    for row in &sqlx::query(TOLD).fetch_all(&mut *connection).await? {
        told.entry(row.get("incident_id")).or_default().insert(row.get("channel"), read_told(row)?);
    }
    let rows = sqlx::query(UNFINISHED).fetch_all(&mut *connection).await?;
    let standing = |row| {
        let incident = read(row)?;
        let told = told.remove(&incident.id).unwrap_or_default();
        Ok(Standing { incident, told })
    };
    rows.iter().map(standing).collect()
}

/// What SQLite says, or a row that cannot be read.
pub(super) enum Fault {
    Sqlite(sqlx::Error),
    State(StateError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StateError> for Fault {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl State {
    pub(super) fn fault(&self, fault: Fault) -> StateError {
        match fault {
            Fault::Sqlite(error) => self.error(error),
            Fault::State(error) => error,
        }
    }

    /// The incidents that are open; with `all`, also those that are over, as far as they are remembered. The newest
    /// first.
    pub async fn incidents(&self, all: bool) -> Result<Vec<Incident>, StateError> {
        let rows =
            sqlx::query("SELECT * FROM incidents WHERE ?1 OR closed_ms IS NULL ORDER BY opened_ms DESC, id DESC")
                .bind(all)
                .fetch_all(&self.pool)
                .await
                .map_err(|e| self.error(e))?;
        rows.iter().map(read).collect()
    }

    /// Incidents that were opened or over since an instant, the oldest first.
    pub async fn incidents_since(&self, since: Timestamp) -> Result<Vec<Incident>, StateError> {
        let rows =
            sqlx::query("SELECT * FROM incidents WHERE opened_ms >= ?1 OR closed_ms >= ?1 ORDER BY opened_ms, id")
                .bind(to_ms(since))
                .fetch_all(&self.pool)
                .await
                .map_err(|e| self.error(e))?;
        rows.iter().map(read).collect()
    }

    /// Notes that somebody is on the incident of this id, or the only open one whose id begins or ends so: there are no
    /// reminders of it any more, and nobody else is called. `None`: there is no such incident that is open.
    pub async fn acknowledge(&self, id: &str, by: &str, now: Timestamp) -> Result<Option<Incident>, StateError> {
        let rows = sqlx::query(
            "UPDATE incidents SET acked_ms = ?3, acked_by = ?2 WHERE closed_ms IS NULL AND id IN (
                 SELECT id FROM incidents WHERE closed_ms IS NULL AND length(?1) >= 4
                     AND (substr(id, 1, length(?1)) = ?1 OR substr(id, -length(?1)) = ?1))
             AND (SELECT count(*) FROM incidents WHERE closed_ms IS NULL
                     AND (substr(id, 1, length(?1)) = ?1 OR substr(id, -length(?1)) = ?1)) = 1 RETURNING *",
        )
        .bind(id)
        .bind(by)
        .bind(to_ms(now))
        .fetch_optional(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        rows.as_ref().map(read).transpose()
    }
}

fn read(row: &SqliteRow) -> Result<Incident, StateError> {
    Ok(Incident {
        id: row.get("id"),
        key: CheckKey { source: row.get("source"), subject: row.get("subject"), name: row.get("name") },
        status: Status::read(row.get("status"))?,
        worst: Status::read(row.get("worst"))?,
        since: from_ms(row.get("since_ms")),
        opened_at: from_ms(row.get("opened_ms")),
        changed_at: from_ms(row.get("changed_ms")),
        closed_at: row.get::<Option<i64>, _>("closed_ms").map(from_ms),
        flapping_at: row.get::<Option<i64>, _>("flapping_ms").map(from_ms),
        acked_at: row.get::<Option<i64>, _>("acked_ms").map(from_ms),
        acked_by: row.get("acked_by"),
        last: observation(row.get("observation"))?,
        at_worst: observation(row.get("worst_observation"))?,
    })
}

fn observation(text: &str) -> Result<Observation, StateError> {
    serde_json::from_str(text)
        .map_err(|error| StateError::Row { what: "observation", detail: format!("{error}: {text}") })
}

fn read_told(row: &SqliteRow) -> Result<Told, StateError> {
    Ok(Told {
        status: Status::read(row.get("status"))?,
        flapping: row.get("flapping"),
        escalated: row.get("escalated"),
        acked: row.get("acked"),
        first_at: from_ms(row.get("first_ms")),
        last_at: from_ms(row.get("last_ms")),
        reminders: row.get::<i64, _>("reminders").try_into().unwrap_or(u32::MAX),
    })
}
