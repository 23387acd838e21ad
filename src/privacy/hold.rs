//! Holds: whether what somebody wants to hold can be held, and whether what was decided by them still stands.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::ground::{Gate, Purpose};
use super::session::Session;
use crate::config::{Config, PrivacyPolicy};
use crate::database::Servers;
use crate::run::Failure;
use crate::state::{Held, Hold, State, StateError};

/// Checks against the live database that a hold means something: the table and the condition, or that the policy says who
/// its people are.
pub async fn check(config: &Config, policy: &PrivacyPolicy, held: &Held) -> Result<(), Failure> {
    match held {
        Held::Subject(_) if policy.subject.is_none() => {
            Err(Failure::new(format!("the policy {} does not say who its people are", policy.name))
                .hint(format!("add `[privacy.{}.subject]`", policy.name)))
        }
        Held::Subject(_) => Ok(()),
        Held::Rows { table, condition } => {
            let servers = Arc::new(Servers::new(config));
            let mut session = Session::open(config, &servers, policy, Purpose::Look).await?;
            let name = table.parse().map_err(|error| Failure::new(format!("{error}")))?;
            let setting = session.seen.setting(policy, session.ground.as_ref());
            let found = setting.table(&name).map_err(|unfit| Failure::new(unfit.to_string()))?;
            let checked = session.ground.check_condition(&found.relation, condition).await;
            checked.map_err(|error| Failure::new(format!("`--where`: {error}")))
        }
    }
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
    async fn is_open(&self) -> bool {
        let now = self.state.holds(Some(&self.policy), Some(Timestamp::now())).await;
        // What cannot be read may be anything.
        now.is_ok_and(|holds| holds == self.active)
    }
}
