//! `[privacy.*]`

mod change;
mod columns;
mod rule;
mod subject;

use std::collections::BTreeMap;

use super::super::{
    Action, BackupJob, Batch, Caps, Change, Daemon, Database, DatabaseKind, DatabaseName, Environment, JobKind,
    JobName, PrivacyPolicy, StoreName, TableName,
};
use super::secret::SecretKeys;
use super::values::{boolean, duration, number, path, schedule, span, timezone};
use super::{Known, Problem, Section, Spot};

/// Reads one policy. `daemon`: `None` if that is wrong, which was reported.
pub(super) fn read(
    name: &str,
    section: &Section<'_>,
    known: &Known,
    daemon: Option<&Daemon>,
    databases: &BTreeMap<DatabaseName, Database>,
    backups: &BTreeMap<String, BackupJob>,
) -> Option<(String, PrivacyPolicy)> {
    if let Err(error) = JobName::new(JobKind::Privacy, name) {
        section.reader.error(&section.name_origin(), Problem::new(error.to_string()));
        section.is_wrong();
    }
    let database = section.required("database", |spot| known.database(spot));
    let schedule = section.optional("schedule", schedule);
    let own_zone = section.optional("timezone", timezone);
    let batch = batch(&section.table("batch"));
    let caps = caps(&section.table("caps"));
    let requires_backup_within = section.optional("requires_backup_within", span);
    let requires_proof_within = section.optional("requires_proof_within", span);
    let stores: Option<Vec<StoreName>> = match section.has("stores") {
        true => section.list("stores", |spot| known.store(spot)),
        false => {
            section.know("stores");
            Some(known.stores())
        }
    };
    let key = SecretKeys::HMAC_KEY.optional(section);
    let in_development = daemon.is_some_and(|daemon| daemon.environment == Environment::Development);
    let approval = section.or("approval", !in_development, boolean);
    let timeout = section.or("timeout", "6h", duration);
    let rules: Vec<_> = section.sections("rules").iter().map(|table| rule::read(table, known)).collect();
    let subject = section.has("subject").then(|| subject::read(&section.table("subject")));
    section.know("subject");
    let columns = columns::read(section);
    let heartbeat = SecretKeys::ping(section);
    section.finish();
    let rules: Vec<_> = rules.into_iter().collect::<Option<_>>()?;
    let subject = subject.map_or(Some(None), |read| read.map(Some))?;
    if section.is_faulty() {
        return None;
    }
    let policy = PrivacyPolicy {
        name: name.to_owned(),
        database: database?,
        schedule,
        timezone: own_zone.or_else(|| daemon.map(|daemon| daemon.timezone.clone()))?,
        batch: batch?,
        caps: caps?,
        requires_backup_within,
        requires_proof_within,
        stores: stores?,
        key,
        approval: approval?,
        timeout: timeout?,
        rules,
        subject,
        columns: columns?,
        heartbeat,
    };
    sense(section, &policy, databases.get(&policy.database));
    readers(section, &policy, backups);
    (!section.is_faulty()).then(|| (name.to_owned(), policy))
}

/// What stands in a queue is one policy's to do.
pub(super) fn apart(sections: &[(String, Section<'_>)], policies: &BTreeMap<String, PrivacyPolicy>) {
    let queue = |policy: &PrivacyPolicy| Some((policy.database.clone(), policy.subject.as_ref()?.queue.clone()?.table));
    for (name, section) in sections {
        let Some((policy, ours)) = policies.get(name).and_then(|policy| Some((policy, queue(policy)?))) else {
            continue;
        };
        let mut earlier = policies.range(..name.clone()).map(|(_, other)| other);
        if let Some(other) = earlier.find(|other| queue(other).as_ref() == Some(&ours)) {
            let problem = Problem::new(format!("`{}` is the queue of `privacy.{}` already", ours.1, other.name));
            section.error(problem.help(format!("each policy has its own: `queue = \"{}_{}\"`", ours.1, policy.name)));
        }
    }
}

/// What each value alone does not show.
fn sense(section: &Section<'_>, policy: &PrivacyPolicy, database: Option<&Database>) {
    if policy.rules.is_empty() && policy.subject.is_none() && policy.columns.is_empty() {
        let help = "add `[[privacy.NAME.rules]]`, `[privacy.NAME.subject]` or `[privacy.NAME.columns]`";
        section.error(Problem::new("this policy says nothing").help(help));
    }
    if policy.rules.is_empty() && policy.subject.is_none() && policy.schedule.is_some() {
        section.error(
            Problem::new("a schedule, but no rule to apply and nobody to erase").help("add `[[privacy.NAME.rules]]`"),
        );
    }
    for (at, rule) in policy.rules.iter().enumerate() {
        if policy.rules[..at].iter().any(|other| other.name == rule.name) {
            section.error(Problem::new(format!("two rules are called `{}`", rule.name)).help("the log names them"));
        }
        let tombstones = match &rule.action {
            Action::Set(changes) => changes.values().any(|change| *change == Change::Tombstone),
            _ => false,
        };
        if tombstones && policy.subject.is_none() {
            let problem = Problem::new(format!("the rule `{}` sets a tombstone, but there is no subject", rule.name));
            section.error(problem.help("add `[privacy.NAME.subject]` with `tombstone`, or write a constant"));
        }
    }
    let is_sqlite = database.is_some_and(|database| matches!(database.kind, DatabaseKind::Sqlite(_)));
    let drops = policy.rules.iter().any(|rule| matches!(rule.action, Action::DropPartition));
    if is_sqlite && drops {
        section.error(Problem::new("SQLite has no partitions to drop").help("use `action = \"delete\"`"));
    }
    for rule in policy.rules.iter().filter(|rule| matches!(rule.action, Action::DropPartition)) {
        if rule.condition.is_some() {
            let problem =
                Problem::new(format!("the rule `{}` drops whole partitions: `where` cannot choose rows", rule.name));
            section.error(problem.help("leave `where` out, or use `action = \"delete\"`"));
        }
    }
    let queue = policy.subject.as_ref().and_then(|subject| subject.queue.as_ref());
    if let Some(queue) = queue
        && policy.rules.iter().any(|rule| rule.table == queue.table)
    {
        let problem = Problem::new(format!("a rule is about the queue `{}`", queue.table));
        section.error(problem.help("requests go from it once they are done; no rule is needed"));
    }
    let tables = policy.rules.iter().map(|rule| &rule.table).chain(queue.map(|queue| &queue.table));
    let schemas = tables.filter_map(|table| table.schema.as_deref());
    if is_sqlite && schemas.into_iter().any(|schema| schema != "main") {
        section.error(Problem::new("SQLite has no schemas").help("name the table alone"));
    }
}

/// An archive that nobody could open, or everybody, is none.
fn readers(section: &Section<'_>, policy: &PrivacyPolicy, backups: &BTreeMap<String, BackupJob>) {
    let mut jobs = backups.values().filter(|job| job.database == policy.database);
    let have_keys = jobs.any(|job| !job.encrypt_to.is_empty());
    for rule in &policy.rules {
        let is_open = matches!(&rule.action, Action::Archive { encrypt_to, .. } if encrypt_to.is_empty());
        if is_open && !have_keys {
            let (name, database) = (&rule.name, &policy.database);
            let problem = Problem::new(format!(
                "the rule `{name}` archives rows, which is always encrypted, and no backup of `{database}` has `encrypt_to`"
            ));
            section
                .error(problem.help("name an age public key: `archive = { store = \"…\", encrypt_to = [\"age1…\"] }`"));
        }
    }
}

fn batch(section: &Section<'_>) -> Option<Batch> {
    let target = section.optional("target", duration);
    let lock_timeout = section.or("lock_timeout", "1s", duration);
    let max_replica_lag = section.or("max_replica_lag", "10s", duration);
    let max_snapshot_age = section.or("max_snapshot_age", "1h", duration);
    let max_dead_rows = section.or("max_dead_rows", 1_000_000, number::<u64>(0..=i64::MAX));
    let pause_file = section.optional("pause_file", path);
    section.finish();
    if section.is_faulty() {
        return None;
    }
    Some(Batch {
        target,
        lock_timeout: lock_timeout?,
        max_replica_lag: max_replica_lag?,
        max_snapshot_age: max_snapshot_age?,
        max_dead_rows: max_dead_rows?,
        pause_file,
    })
}

fn caps(section: &Section<'_>) -> Option<Caps> {
    let max_rows = section.or("max_rows", 2_000_000, number::<u64>(0..=i64::MAX));
    let max_fraction = section.or("max_fraction", 0.5, share);
    let max_growth = section.or("max_growth", 5.0, factor);
    section.finish();
    if section.is_faulty() {
        return None;
    }
    Some(Caps { max_rows: max_rows?, max_fraction: max_fraction?, max_growth: max_growth? })
}

fn share(spot: &Spot<'_>) -> Result<f64, Problem> {
    match spot.float()? {
        share if (0.0..=1.0).contains(&share) => Ok(share),
        share => Err(Problem::new(format!("{share} is not a share between 0 and 1"))),
    }
}

fn factor(spot: &Spot<'_>) -> Result<f64, Problem> {
    match spot.float()? {
        factor if factor.is_finite() && factor >= 1.0 => Ok(factor),
        factor => Err(Problem::new(format!("{factor} is not a factor of at least 1"))),
    }
}

/// The name of a table.
fn table(spot: &Spot<'_>) -> Result<TableName, Problem> {
    let help = "write `users`, `audit.events`, or `\"odd.name\"` with its quotes";
    spot.text()?.parse::<TableName>().map_err(|error| Problem::new(error.to_string()).help(help))
}
