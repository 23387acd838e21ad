//! What checks said: the last of each, and the queue of what the alert engine has not looked at yet.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::instant::{from_ms, to_ms};
use super::runs::text_enum;
use super::samples::{self, Sample};
use super::{State, StateError};

/// How many observations wait for the alert engine at the most; the oldest go.
const MOST_UNSEEN: i64 = 100_000;

/// What a check found its object to be.
///
/// The order is that of precedence, the worst last. A check that does not apply counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// There is nothing to look at: no replication, an extension that is not installed, the first sample of a rate.
    NotApplicable,
    /// As it should be.
    Ok,
    /// It could not be seen.
    Unknown,
    /// Somebody should look at it by day.
    Warning,
    /// Somebody should look at it now.
    Critical,
}

text_enum!(
    Status,
    "status",
    NotApplicable = "not_applicable",
    Ok = "ok",
    Unknown = "unknown",
    Warning = "warning",
    Critical = "critical",
);

/// Which check: who looks, at what, for what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CheckKey {
    /// `health`, `job`, `delivery`.
    pub source: String,
    /// A database, a job, a channel.
    pub subject: String,
    /// The check's name.
    pub name: String,
}

impl std::fmt::Display for CheckKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.subject, self.name)
    }
}

/// What a check said at one moment. Never holds a secret, nor the text of a query's literals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Of which check.
    #[serde(flatten)]
    pub key: CheckKey,
    /// What it found.
    pub status: Status,
    /// When.
    pub at: Timestamp,
    /// One line for people: `92 of 97 connections used`.
    pub summary: String,
    /// The figure that was compared, for people, with its unit: `95 %`.
    pub value: Option<String>,
    /// The same as a number, in the unit's base (seconds, bytes, a share of 1, a count).
    pub number: Option<f64>,
    /// What it was compared with, for people: `warning from 80 %, critical from 95 %`.
    pub threshold: Option<String>,
    /// What to do about it.
    pub advice: Option<String>,
    /// What was seen, line by line: the connections, the tables, the blocking tree.
    pub evidence: Vec<String>,
}

impl Observation {
    /// One that says only so much.
    pub fn new(key: CheckKey, status: Status, summary: impl Into<String>, at: Timestamp) -> Self {
        let summary = summary.into();
        let (value, number, threshold, advice, evidence) = (None, None, None, None, Vec::new());
        Self { key, status, at, summary, value, number, threshold, advice, evidence }
    }
}

/// What a check said last, and since when it has been saying so.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastCheck {
    /// The last observation.
    #[serde(flatten)]
    pub observation: Observation,
    /// Since when its status is what it is.
    pub since: Timestamp,
}

impl State {
    /// Records a round, all in one transaction: the figures that a database's checks keep, beside or in place of earlier
    /// ones; and what was observed, in this order, as each check's last word and for the alert engine to look at.
    pub async fn record_round(
        &self,
        database: &str,
        kept: &[Sample],
        latest: &[Sample],
        observations: &[Observation],
    ) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        for sample in latest {
            samples::forget_object(&mut tx, database, sample).await.map_err(|e| self.error(e))?;
        }
        for sample in kept.iter().chain(latest) {
            samples::keep(&mut tx, database, sample).await.map_err(|e| self.error(e))?;
        }
        for observation in observations {
            record(&mut tx, observation).await.map_err(|e| self.error(e))?;
        }
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// What each check of a source said last; of one subject, or of all.
    pub async fn last_checks(&self, source: &str, subject: Option<&str>) -> Result<Vec<LastCheck>, StateError> {
        let rows = sqlx::query(
            "SELECT observation, since_ms FROM checks WHERE source = ?1 AND (?2 IS NULL OR subject = ?2)
             ORDER BY subject, name",
        )
        .bind(source)
        .bind(subject)
        .fetch_all(&self.pool)
        .await
        .map_err(|e| self.error(e))?;
        rows.iter().map(|row| Ok(LastCheck { observation: read(row)?, since: from_ms(row.get("since_ms")) })).collect()
    }
}

/// Records one observation inside a transaction. For operations from which an observation follows.
pub(super) async fn record(
    tx: &mut sqlx::Transaction<'_, sqlx::Sqlite>,
    observation: &Observation,
) -> Result<(), sqlx::Error> {
    let CheckKey { source, subject, name } = &observation.key;
    let text = serde_json::to_string(observation).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query(
        "INSERT INTO checks (source, subject, name, status, since_ms, observed_ms, observation)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)
         ON CONFLICT (source, subject, name) DO UPDATE SET
             since_ms = CASE WHEN status = excluded.status THEN since_ms ELSE excluded.since_ms END,
             status = excluded.status, observed_ms = excluded.observed_ms, observation = excluded.observation",
    )
    .bind(source)
    .bind(subject)
    .bind(name)
    .bind(observation.status.as_str())
    .bind(to_ms(observation.at))
    .bind(&text)
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "INSERT INTO observations (source, subject, name, status, observed_ms, observation)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(source)
    .bind(subject)
    .bind(name)
    .bind(observation.status.as_str())
    .bind(to_ms(observation.at))
    .bind(&text)
    .execute(&mut **tx)
    .await?;
    // Where no daemon ever looks at them, they must not fill the disk.
    sqlx::query("DELETE FROM observations WHERE seq <= (SELECT max(seq) FROM observations) - ?1")
        .bind(MOST_UNSEEN)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<Observation, StateError> {
    let text: String = row.get("observation");
    serde_json::from_str(&text)
        .map_err(|error| StateError::Row { what: "observation", detail: format!("{error}: {text}") })
}
