//! `[privacy.*]`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Span;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{DatabaseName, Ping, SecretSource, StoreName, TableName};
use crate::schedule::Schedule;

/// A policy: what must go from a database, when, and what erasing a person means there.
#[derive(Debug, Clone)]
pub struct PrivacyPolicy {
    /// The table's name: `ferpa`.
    pub name: String,
    /// Where it applies.
    pub database: DatabaseName,
    /// When its rules are applied; `None`: only by hand.
    pub schedule: Option<Schedule>,
    /// The zone of the schedule, of calendar months and days, and of ages without a zone; default the daemon's.
    pub timezone: TimeZone,
    /// How gently.
    pub batch: Batch,
    /// Beyond which it refuses.
    pub caps: Caps,
    /// A good backup no older than this must exist before rows go.
    pub requires_backup_within: Option<Span>,
    /// The same, and it must be proven.
    pub requires_proof_within: Option<Span>,
    /// Where log and ledger are also written; default every store.
    pub stores: Vec<StoreName>,
    /// Where the key is that pseudonyms and the ledger are made with; default a file that is made in the state directory.
    pub key: Option<SecretSource>,
    /// Whether a changed policy must be approved before it is applied; default yes, but for development.
    pub approval: bool,
    /// How long one application may take.
    pub timeout: Duration,
    /// The retention schedule, in the order in which it is written.
    pub rules: Vec<Rule>,
    /// What it means to erase a person.
    pub subject: Option<Subject>,
    /// `[privacy.*.columns]`: what each column holds.
    pub columns: BTreeMap<(TableName, String), Sensitivity>,
    /// What is pinged when a run starts and ends.
    pub heartbeat: Option<Ping>,
}

impl PrivacyPolicy {
    /// Whether a rule archives rows.
    pub fn archives(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.action, Action::Archive { .. }))
    }

    /// Whether there is something to run: rules to apply, or erasures to go on with.
    pub fn is_job(&self) -> bool {
        !self.rules.is_empty() || self.subject.is_some()
    }
}

/// How a rule's rows are taken in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// How long one transaction should take; default 300 ms on PostgreSQL, 50 ms on SQLite, where it keeps writers out.
    pub target: Option<Duration>,
    /// How long it waits for a lock; default 1 s.
    pub lock_timeout: Duration,
    /// It pauses while a standby is further behind; default 10 s.
    pub max_replica_lag: Duration,
    /// It pauses while a snapshot is older than this and the table has more dead rows than the next; default 1 h.
    pub max_snapshot_age: Duration,
    /// See the one before; default 1,000,000.
    pub max_dead_rows: u64,
    /// It pauses while this file exists.
    pub pause_file: Option<PathBuf>,
}

/// Beyond which figures a rule is refused: a mistake looks like much.
#[derive(Debug, Clone, PartialEq)]
pub struct Caps {
    /// Most rows of one rule in one run; default 2,000,000.
    pub max_rows: u64,
    /// Most of a table's rows, as a share of 1; default 0.5. Not asked of tables with fewer than 1,000 rows.
    pub max_fraction: f64,
    /// Most rows in relation to the rule's last run; default 5.
    pub max_growth: f64,
}

/// One line of the retention schedule.
#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    /// What people call it.
    pub name: String,
    /// Where.
    pub table: TableName,
    /// The column that tells a row's age.
    pub age_column: String,
    /// Rows older than this.
    pub older_than: Span,
    /// An extra condition, as SQL.
    #[serde(rename = "where")]
    pub condition: Option<String>,
    /// What becomes of them.
    pub action: Action,
    /// Why, for the log and the certificate.
    pub reason: Option<String>,
}

/// What becomes of a row.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It goes.
    Delete,
    /// It stays, with other values in these columns.
    Set(BTreeMap<String, Change>),
    /// It is exported to a store, then goes.
    Archive {
        /// Where to.
        store: StoreName,
        /// After which time the archive goes as well; `None`: it is kept until somebody deletes it.
        expire_after: Option<Span>,
        /// The age public keys that can open it, beside those of the database's backups.
        encrypt_to: Vec<String>,
    },
    /// Partitions that hold nothing younger are detached and dropped.
    DropPartition,
}

/// What a column is set to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// NULL.
    Null,
    /// Always the same.
    Constant(Constant),
    /// The subject's tombstone.
    Tombstone,
    /// A keyed hash of what stood there: a pseudonym, the same for the same value.
    Hmac,
    /// The beginning of its day, month or year.
    Truncate(CalendarUnit),
    /// All characters but the first and the last so many become `*`.
    Mask {
        /// Kept at the beginning.
        first: u32,
        /// Kept at the end.
        last: u32,
    },
    /// The nearest multiple.
    Round(u64),
    /// Something that looks like it, the same for the same value.
    Fake(FakeKind),
}

/// A value of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Constant {
    /// Text; the server takes it as the column's type.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A truth value.
    Boolean(bool),
}

/// Parts of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarUnit {
    /// A day.
    Day,
    /// A month.
    Month,
    /// A year.
    Year,
}

/// What can be made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FakeKind {
    /// First and last name.
    Name,
    /// A first name.
    FirstName,
    /// A last name.
    LastName,
    /// An address at `example.invalid`.
    Email,
    /// A telephone number that nobody has.
    Phone,
    /// An address of the blocks kept for documentation.
    Ip,
}

/// `[privacy.*.subject]`: what it means to erase a person.
#[derive(Debug, Clone, Serialize)]
pub struct Subject {
    /// The table with a row for each person.
    pub table: TableName,
    /// The column that names the person.
    pub key: String,
    /// What stands in place of an identity.
    pub tombstone: Tombstone,
    /// What becomes of the person's own row.
    pub row: SubjectRow,
    /// How long after it was received a request is due; default 30 days.
    pub due_after: Span,
    /// Where applications ask for erasures; `None`: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<ErasureQueue>,
    /// Where else the person stands.
    pub references: Vec<Reference>,
}

/// A table in which applications write down who is to be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErasureQueue {
    /// The table; without a schema it is in that of the subject's table.
    pub table: TableName,
    /// How often the daemon looks into it; default every minute.
    #[serde(skip)]
    pub every: Duration,
}

/// What stands in place of an identity.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tombstone {
    /// The same for everybody.
    Fixed(Constant),
    /// Another one for each erasure.
    Random,
}

/// What becomes of the person's own row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectRow {
    /// It goes.
    Delete,
    /// It stays, with other values in these columns.
    Set(BTreeMap<String, Change>),
}

/// A table in which a person stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reference {
    /// The table.
    pub table: TableName,
    /// Its column with the person's key, or the first column of `via`.
    pub column: Option<String>,
    /// The way to the person over foreign keys: `essay_versions.essay_id -> essays.student_id`.
    pub via: Vec<Step>,
    /// What becomes of the rows.
    pub action: SubjectRow,
}

/// One step of a way: a table's column that refers to the next table's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The table.
    pub table: TableName,
    /// Its column.
    pub column: String,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// Anybody may know.
    Public,
    /// Nobody's in particular, but not for everybody.
    Internal,
    /// It is about a person.
    Personal,
    /// It is about a person and needs particular care.
    Sensitive,
}
