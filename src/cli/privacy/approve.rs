//! `privacy approve`: this form of a policy may be applied.

use jiff::Timestamp;
use serde_json::json;

use super::{entry, policy};
use crate::cli::exit::{CliError, Exit};
use crate::cli::scene::Scene;
use crate::privacy::policy::hash;
use crate::run::who;
use crate::state::{Approval, LogKind};

/// As much of a hash as must be given: nobody hits it by chance.
const LEAST: usize = 8;

pub(super) async fn run(name: &str, given: &str, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let policy = policy(Some(name), scene)?;
    let hash = hash(policy);
    let state = scene.state().await?;
    if given.len() < LEAST || !hash.starts_with(&given.to_lowercase()) {
        let detail = json!({"policy_hash": hash, "why": "it was to be approved by another hash"});
        state.log(&entry(LogKind::Refused, policy, detail), Timestamp::now()).await?;
        return Err(CliError::refused(format!("the policy {name} as it stands now has another hash: {}", &hash[..12]))
            .hint(format!("look at `caretaker privacy plan {name}` first")));
    }
    let approval =
        Approval { policy: policy.name.clone(), hash: hash.clone(), approved_by: who(), approved_at: Timestamp::now() };
    state.approve(&approval, &entry(LogKind::PolicyApproved, policy, json!({"policy_hash": hash}))).await?;
    scene.output.line(format!("approved: {} in the form {}", policy.name, &hash[..12]));
    scene.output.json(&approval);
    Ok(Exit::Done)
}
