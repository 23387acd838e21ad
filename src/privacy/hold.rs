//! Holds: whether what somebody wants to hold can be held, and whether what was decided by them still stands.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::erase::Person;
use super::fragment::Fragment;
use super::ground::{Gate, Purpose};
use super::queue;
use super::session::Session;
use crate::config::{Config, PrivacyPolicy};
use crate::database::Servers;
use crate::database::schema::Table;
use crate::run::Failure;
use crate::state::{Held, Hold, State, StateError};

/// Checks against the live database that a hold means something: the table and the condition, or whom the policy's subject
/// calls so. Gives what is held with the person's key in its canonical form: by that ledger and log know them, however it was
/// typed.
pub async fn canonical(config: &Config, policy: &PrivacyPolicy, held: Held) -> Result<Held, Failure> {
    if matches!(held, Held::Subject(_)) && policy.subject.is_none() {
        return Err(Failure::new(format!("the policy {} does not say who its people are", policy.name))
            .hint(format!("add `[privacy.{}.subject]`", policy.name)));
    }
    let servers = Arc::new(Servers::new(config));
    let mut session = Session::open(config, &servers, policy, Purpose::Look).await?;
    let setting = session.seen.setting(policy, session.ground.as_ref());
    match &held {
        Held::Subject(id) => {
            let person = Person::find(session.ground.as_mut(), &setting, id).await?;
            Ok(Held::Subject(person.id))
        }
        Held::Rows { table, condition } => {
            let name = table.parse().map_err(|error| Failure::new(format!("{error}")))?;
            let found = setting.table(&name).map_err(|unfit| Failure::new(unfit.to_string()))?;
            let checked = session.ground.check_condition(&found.relation, condition).await;
            checked.map_err(|error| Failure::new(format!("`--where`: {error}")))?;
            Ok(held)
        }
    }
}

/// Whether a person stands in a declared column, or in the queue. A hold on whoever does not holds all the same: they may
/// come, and an erasure of theirs is deferred.
pub async fn stands(config: &Config, policy: &PrivacyPolicy, id: &str) -> Result<bool, Failure> {
    let servers = Arc::new(Servers::new(config));
    let mut session = Session::open(config, &servers, policy, Purpose::Look).await?;
    let setting = session.seen.setting(policy, session.ground.as_ref());
    let mut places: Vec<(&Table, Fragment)> = Vec::new();
    for table in setting.schema.tables.iter() {
        places.extend(setting.of_subject(table, id).into_iter().map(|theirs| (table, theirs)));
    }
    if let Some(table) = queue::table(&setting) {
        let theirs = setting.is_person(table, queue::SUBJECT, id).map_err(|unfit| Failure::new(unfit.0))?;
        places.push((table, theirs));
    }
    for (table, theirs) in places {
        let dialect = session.ground.dialect();
        let mut question = Fragment::text("SELECT ");
        question.append(dialect.read(Fragment::text("1")));
        question.push(format!(" FROM {} WHERE ", dialect.table(&table.relation))).append(theirs).push(" LIMIT 1");
        if !session.ground.ask(&question.finish(dialect.placeholder())).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The holds under a policy as they were read: the gate of what was decided by them.
pub struct Holding {
    state: State,
    policy: String,
    /// Those that hold.
    pub active: Vec<Hold>,
}

impl Holding {
    /// The holds that hold now.
    pub async fn read(state: &State, policy: &str) -> Result<Self, StateError> {
        let active = state.holds(Some(policy), Some(Timestamp::now())).await?;
        Ok(Self { state: state.clone(), policy: policy.to_owned(), active })
    }
}

#[async_trait]
impl Gate for Holding {
    async fn is_open(&self, _: u64) -> bool {
        let now = self.state.holds(Some(&self.policy), Some(Timestamp::now())).await;
        // What cannot be read may be anything.
        now.is_ok_and(|holds| holds == self.active)
    }
}
