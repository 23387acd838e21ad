//! The queue in SQL: its table, and the trigger that writes down who is gone. Pure.

mod postgres;
mod sqlite;

pub use postgres::{readers, role};

use sha2::{Digest, Sha256};

use super::relation;
use crate::config::ErasureQueue;
use crate::database::schema::Relation;
use crate::privacy::change::unknown;
use crate::privacy::dialect::Unfit;
use crate::privacy::plan::Setting;

/// Which kind of database.
#[derive(Debug, Clone)]
pub enum Kind {
    /// PostgreSQL, where this role drains the queue.
    Postgres {
        /// The role.
        role: String,
    },
    /// SQLite.
    Sqlite,
}

/// Statements that are carried out in one transaction, all of them or none.
#[derive(Debug, Clone)]
pub struct Script {
    /// What it is about, for who reads it.
    about: String,
    /// How its transaction begins, as text.
    begin: String,
    /// What comes first; it keeps others away.
    pub first: String,
    /// A question: if it finds a row, nothing is done.
    pub unless: Option<String>,
    /// What comes then.
    pub then: String,
}

/// What the statements name.
struct Names {
    policy: String,
    subject: Relation,
    key: String,
    key_type: String,
    queue: Relation,
    trigger: String,
}

/// What makes queue and trigger, or what of them is not there yet.
pub fn install(setting: &Setting<'_>, queue: &ErasureQueue, kind: &Kind) -> Result<Script, Unfit> {
    let names = names(setting, queue)?;
    Ok(match kind {
        Kind::Postgres { role } => postgres::install(&names, role, setting.policy.batch.lock_timeout),
        Kind::Sqlite => sqlite::install(&names),
    })
}

/// What removes them.
pub fn uninstall(setting: &Setting<'_>, queue: &ErasureQueue, kind: &Kind) -> Result<Script, Unfit> {
    let names = names(setting, queue)?;
    let is_there = super::table(setting).is_some();
    Ok(match kind {
        Kind::Postgres { .. } => postgres::uninstall(&names, is_there, setting.policy.batch.lock_timeout),
        Kind::Sqlite => sqlite::uninstall(&names, is_there),
    })
}

impl Script {
    /// As a person runs it.
    pub fn text(&self) -> String {
        let unless = self.unless.as_ref().map_or_else(String::new, |unless| {
            format!("-- Only if this finds nothing: requests that stand there would be lost.\n-- {unless};\n\n")
        });
        let about: String = self.about.lines().map(|line| format!("-- {line}\n")).collect();
        format!("{about}{}\n\n{}\n\n{unless}{}\n\nCOMMIT;", self.begin, self.first.trim(), self.then.trim())
    }
}

/// Most bytes of a name. <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>
const LONGEST: usize = 63;

fn names(setting: &Setting<'_>, queue: &ErasureQueue) -> Result<Names, Unfit> {
    let policy = setting.policy;
    let Some(subject) = &policy.subject else { return Err(Unfit("the policy has no subject".to_owned())) };
    let table = setting.table(&subject.table)?;
    let key = table.column(&subject.key).ok_or_else(|| unknown(table, &subject.key))?;
    let trigger = format!("caretaker_erasure_{}", policy.name);
    let trigger = match trigger.len() > LONGEST {
        true => format!("caretaker_erasure_{}", &hex::encode(Sha256::digest(&policy.name))[..16]),
        false => trigger,
    };
    Ok(Names {
        policy: policy.name.clone(),
        subject: table.relation.clone(),
        key: key.name.clone(),
        key_type: key.type_name.clone(),
        queue: relation(setting, queue)?,
        trigger,
    })
}
