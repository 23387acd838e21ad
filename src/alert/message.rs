//! What is told, before any channel has given it a form.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::{CheckKey, Status};

/// Why people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Something is not as it should be.
    Opened,
    /// It has become worse, or less bad.
    Changed,
    /// It is still so.
    Reminder,
    /// Nobody has acknowledged it.
    Escalation,
    /// Somebody has.
    Acknowledged,
    /// It changes back and forth too often to tell of each change.
    Flapping,
    /// It is over.
    Recovered,
    /// What happened since the last one.
    Digest,
    /// A test.
    Test,
}

/// One notification: about one incident, or about several that came together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The notification's UUIDv7: the same on every attempt.
    pub id: String,
    /// Why.
    pub kind: MessageKind,
    /// The worst of its incidents.
    pub severity: Status,
    /// When it was decided upon.
    pub at: Timestamp,
    /// The machine that tells.
    pub host: String,
    /// `production`, `staging`, `development`.
    pub environment: String,
    /// The zone in which people read times; `None`: UTC.
    #[serde(default)]
    pub timezone: Option<String>,
    /// What it is about; empty for a test.
    pub incidents: Vec<IncidentView>,
    /// Further text, paragraph by paragraph: a digest's, a test's.
    pub text: Vec<String>,
    /// What a digest says beyond that; empty otherwise.
    #[serde(default)]
    pub sections: Vec<Section>,
}

/// What a digest says under one heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// `Databases`
    pub title: String,
    /// What is said, one thing after the other.
    pub rows: Vec<Row>,
}

/// What a digest says of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// A database, a job, a moment.
    pub name: String,
    /// How it is.
    pub status: Status,
    /// What is said of it, a line each.
    pub facts: Vec<String>,
}

/// An incident as people are told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentView {
    /// Its UUIDv7: what a mail client threads by.
    pub id: String,
    /// What is wrong.
    #[serde(flatten)]
    pub key: CheckKey,
    /// What it is now.
    pub status: Status,
    /// The worst it has been.
    pub worst: Status,
    /// Since when.
    pub opened_at: Timestamp,
    /// When it was over.
    pub closed_at: Option<Timestamp>,
    /// Who is on it.
    #[serde(default)]
    pub acknowledged_by: Option<String>,
    /// The check's last words.
    pub summary: String,
    /// The figure.
    pub value: Option<String>,
    /// The worst figure.
    pub worst_value: Option<String>,
    /// What it is compared with.
    pub threshold: Option<String>,
    /// What to do.
    pub advice: Option<String>,
    /// What was seen.
    pub evidence: Vec<String>,
}
