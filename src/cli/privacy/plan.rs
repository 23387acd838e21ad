//! `privacy plan`: what applying a policy would do now.

use super::{job, policy};
use crate::cli::exit::{CliError, Exit};
use crate::cli::scene::Scene;
use crate::privacy::{plan::Plan, show};

pub(super) async fn run(name: Option<&str>, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let policy = policy(name, scene)?;
    let state = scene.state().await?;
    let plan = job(policy, scene).make_plan(&state).await?;
    let approved = state.approval(&policy.name).await?.map(|approval| approval.hash);
    let mut value = serde_json::to_value(&plan).unwrap_or_default();
    value["approved_hash"] = serde_json::json!(approved);
    value["needs_approval"] = serde_json::json!(policy.approval && approved.as_ref() != Some(&plan.hash));
    scene.output.json(&value);
    scene.output.line(show::plan(&plan));
    if policy.approval && approved.as_ref().is_some_and(|approved| *approved != plan.hash) {
        scene.output.note(format!(
            "the policy has changed since it was approved; if this is what it should do: \
             caretaker privacy approve {} {}",
            plan.policy,
            &plan.hash[..12]
        ));
    }
    Ok(exit(&plan))
}

/// 3 where a cap refuses a rule, 1 where one cannot be applied.
pub(super) fn exit(plan: &Plan) -> Exit {
    match plan {
        plan if plan.rules.iter().any(|rule| !rule.problems.is_empty()) => Exit::Failed,
        plan if plan.rules.iter().any(|rule| rule.beyond.is_some()) => Exit::Refused,
        _ => Exit::Done,
    }
}
