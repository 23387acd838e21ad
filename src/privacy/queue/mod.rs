//! The queue: a table in the database in which applications, and a trigger on the subject's table, write down who is to be
//! erased. Nothing else is done there; what follows is the daemon's.
//!
//! A request stays in the queue until the person is erased, marked once the ledger has it. So nobody is forgotten by a crash,
//! and somebody whom a hold keeps, and who stands nowhere else any more, is found again. The queue is the last place that an
//! erasure empties: deleting the person's own row makes the trigger write them down once more.

mod drain;
mod job;
mod look;
mod read;
mod script;

pub use drain::{Drained, drain};
pub use job::QueueJob;
pub use look::{Waiting, look};
pub use read::{Queued, queued};
pub use script::{Kind, Script, install, readers, role, uninstall};

use super::dialect::Unfit;
use super::plan::Setting;
use crate::config::{ErasureQueue, PrivacyPolicy};
use crate::database::schema::{Relation, Schema, Table};
use crate::run::Failure;

/// The queue's columns: the number of a request, whom it is about, why, when it was received, whether the trigger wrote it
/// down, and when the ledger had it.
pub(super) const REQUEST: &str = "request";
pub(super) const SUBJECT: &str = "subject";
pub(super) const REASON: &str = "reason";
pub(super) const RECEIVED: &str = "received";
pub(super) const BY_TRIGGER: &str = "by_trigger";
pub(super) const TAKEN: &str = "taken";

/// The policy's queue.
pub fn of(policy: &PrivacyPolicy) -> Option<&ErasureQueue> {
    policy.subject.as_ref()?.queue.as_ref()
}

/// The policy's queue, or that it has none.
pub fn named(policy: &PrivacyPolicy) -> Result<&ErasureQueue, Failure> {
    of(policy).ok_or_else(|| {
        let name = &policy.name;
        Failure::new(format!("the policy {name} has no queue"))
            .hint(format!("name its table in `[privacy.{name}.subject]`: `queue = \"caretaker_erasures\"`"))
    })
}

/// Whether somebody wants the policy to rest.
pub(super) async fn is_paused(policy: &PrivacyPolicy) -> bool {
    match &policy.batch.pause_file {
        Some(file) => tokio::fs::try_exists(file).await.unwrap_or(false),
        None => false,
    }
}

/// The queue's full name: without a schema it is beside the subject's table.
pub(super) fn relation(setting: &Setting<'_>, queue: &ErasureQueue) -> Result<Relation, Unfit> {
    let beside = || {
        let subject = setting.policy.subject.as_ref().map(|subject| setting.table(&subject.table)).transpose()?;
        Ok(subject.map(|table| table.relation.schema.clone()).unwrap_or_default())
    };
    let schema = queue.table.schema.clone().map_or_else(beside, Ok)?;
    Ok(Relation { schema, name: queue.table.name.clone() })
}

/// The queue's table, if it is there.
pub fn table<'a>(setting: &Setting<'a>) -> Option<&'a Table> {
    find(setting.policy, setting.schema)
}

/// The same, without anything but the schema.
pub fn find<'s>(policy: &PrivacyPolicy, schema: &'s Schema) -> Option<&'s Table> {
    let subject = policy.subject.as_ref()?;
    let queue = &subject.queue.as_ref()?.table;
    let beside = schema.find(subject.table.schema.as_deref(), &subject.table.name);
    let of = queue.schema.as_deref().or(beside.map(|table| table.relation.schema.as_str()))?;
    schema.find(Some(of), &queue.name)
}

/// The queue's table as it must be.
pub(super) fn open<'a>(setting: &Setting<'a>, queue: &ErasureQueue) -> Result<&'a Table, Failure> {
    let install = |problem: String| unusable(setting.policy, queue, &problem);
    let table = table(setting).ok_or_else(|| install("there is no such table".to_owned()))?;
    let missing = [REQUEST, SUBJECT, REASON, RECEIVED, BY_TRIGGER, TAKEN].into_iter();
    match missing.filter(|name| table.column(name).is_none()).collect::<Vec<_>>().as_slice() {
        [] => Ok(table),
        missing => Err(install(format!("it has no {}", missing.join(", ")))),
    }
}

/// What is said of a queue that cannot be used.
fn unusable(policy: &PrivacyPolicy, queue: &ErasureQueue, problem: &str) -> Failure {
    Failure::new(format!("the queue `{}` cannot be used: {problem}", queue.table))
        .hint(format!("`caretaker privacy install-triggers {}` prints what makes it; `--install` does it", policy.name))
}
