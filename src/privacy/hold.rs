//! Holds: whether what somebody wants to hold can be held.

use std::sync::Arc;

use super::session::Session;
use crate::config::{Config, PrivacyPolicy};
use crate::database::Servers;
use crate::run::Failure;
use crate::state::Held;

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
            let mut session = Session::open(config, &servers, policy).await?;
            let name = table.parse().map_err(|error| Failure::new(format!("{error}")))?;
            let setting = session.seen.setting(policy, session.ground.as_ref());
            let found = setting.table(&name).map_err(|unfit| Failure::new(unfit.to_string()))?;
            let checked = session.ground.check_condition(&found.relation, condition).await;
            checked.map_err(|error| Failure::new(format!("`--where`: {error}")))
        }
    }
}
