//! A plan as it is shown and kept: what applying a policy would do, rule by rule.

use jiff::Timestamp;
use serde::Serialize;

use super::Forecast;

/// What applying a policy would do.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The policy's name.
    pub policy: String,
    /// Its hash.
    pub hash: String,
    /// Where.
    pub database: String,
    /// When it was made.
    pub at: Timestamp,
    /// The rules, in the order in which they would be applied.
    pub rules: Vec<RulePlan>,
    /// What concerns all of it.
    pub warnings: Vec<String>,
}

/// What applying a rule would do.
#[derive(Debug, Clone, Serialize)]
pub struct RulePlan {
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: String,
    /// What becomes of the rows: `delete`, `set ip, user_agent`.
    pub action: String,
    /// Why.
    pub reason: Option<String>,
    /// What it means in figures; `None`: it cannot be applied, see `problems`.
    pub meaning: Option<Meaning>,
    /// Why it cannot be applied.
    pub problems: Vec<String>,
    /// Whether they are told in the server's words, in which anything may stand.
    #[serde(skip)]
    pub is_of_server: bool,
    /// Which cap it would go beyond.
    pub beyond: Option<String>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// A rule in figures.
#[derive(Debug, Clone, Serialize)]
pub struct Meaning {
    /// Rows older than this.
    pub cutoff: Timestamp,
    /// One batch of it, with the values in their places.
    pub sql: String,
    /// Rows that match and that nothing keeps.
    pub rows: u64,
    /// Rows of the table, as far as the server knows.
    pub table_rows: u64,
    /// The rule's rows as a share of the table's.
    pub share: f64,
    /// How many may go in one run by all caps, and which of them says so.
    #[serde(skip)]
    pub most: (u64, &'static str),
    /// The age column of the oldest of them, as the server writes it.
    pub oldest: Option<String>,
    /// Rows that match, but have children that keep them.
    pub kept_for_children: u64,
    /// Rows that match, but are held.
    pub held: u64,
    /// Rows whose age is NULL: they are kept for ever.
    pub without_age: u64,
    /// How the rows are walked through: `primary key (id)`.
    pub walk: String,
    /// The index that serves it; `None`: all rows are read.
    pub index: Option<String>,
    /// A few of the rows, masked.
    pub sample: Vec<Vec<(String, String)>>,
    /// What becomes of each partition, where whole ones are dropped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<PartitionPlan>,
    /// What is to be expected.
    #[serde(flatten)]
    pub forecast: Forecast,
}

/// What becomes of a partition.
#[derive(Debug, Clone, Serialize)]
pub struct PartitionPlan {
    /// Its name.
    pub name: String,
    /// `FOR VALUES FROM (…) TO (…)`, or `DEFAULT`.
    pub bounds: String,
    /// Its rows; `None`: they were not counted, for it is not old.
    pub rows: Option<u64>,
    /// Bytes of tables and indexes.
    pub bytes: u64,
    /// Whether it goes.
    pub goes: bool,
    /// Why it does not.
    pub stays_because: Option<String>,
}
