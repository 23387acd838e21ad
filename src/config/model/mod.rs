//! The configuration as values: one small struct per table of the file. Nothing here reads files.

mod alerts;
mod backup;
mod channel;
mod daemon;
mod database;
mod health;
mod heartbeat;
mod names;
mod privacy;
mod retention;
mod secret;
mod store;
mod table;

use std::collections::BTreeMap;

pub use alerts::{AlertSeverity, Alerts, QuietHours, Route};
pub use backup::{BackupJob, CatchUp, Compression, FingerprintLevel, SqliteCheck};
pub use channel::{
    Channel, ChannelKind, Email, FileChannel, FileFormat, MailTransport, Ntfy, Pagerduty, Smtp, SmtpLogin, SmtpTls,
    Telegram, Webhook,
};
pub use daemon::{Daemon, Environment};
pub use database::{Database, DatabaseKind, PostgresTarget, SqliteTarget, SslMode};
pub use health::{Bad, CheckName, CheckSettings, HealthJob, Maintenance, Migrations, Unit};
pub use heartbeat::{Heartbeat, Ping};
pub use names::{ChannelName, DatabaseName, JobKind, JobName, NameError, StoreName};
pub use privacy::{
    Action, Batch, CalendarUnit, Caps, Change, Constant, ErasureQueue, FakeKind, PrivacyPolicy, Reference, Rule,
    Sensitivity, Step, Subject, SubjectRow, Tombstone,
};
pub use retention::Retention;
pub use secret::{Redacted, SecretError, SecretSource};
pub use store::{LocalStore, S3Profile, S3Store, Store, StoreKind};
pub use table::{TableName, TableNameError};

/// The whole configuration, checked: every reference in it resolves.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[daemon]`
    pub daemon: Daemon,
    /// `[databases.*]`
    pub databases: BTreeMap<DatabaseName, Database>,
    /// `[stores.*]`
    pub stores: BTreeMap<StoreName, Store>,
    /// `[backup.*]`, by the name after the dot.
    pub backups: BTreeMap<String, BackupJob>,
    /// `[health.*]`, by the name after the dot.
    pub health: BTreeMap<String, HealthJob>,
    /// `[privacy.*]`, by the name after the dot.
    pub privacy: BTreeMap<String, PrivacyPolicy>,
    /// `[channels.*]`
    pub channels: BTreeMap<ChannelName, Channel>,
    /// `[alerts]`
    pub alerts: Alerts,
    /// `[heartbeat]`
    pub heartbeat: Option<Heartbeat>,
}

impl Config {
    /// The age public keys that the backups of a database, or of all, are encrypted to.
    pub fn recipients(&self, database: Option<&DatabaseName>) -> Vec<&str> {
        let jobs = self.backups.values().filter(|job| database.is_none_or(|database| job.database == *database));
        let mut keys: Vec<&str> = jobs.flat_map(|job| &job.encrypt_to).map(String::as_str).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}
