//! `privacy apply`: shows what a policy would do, asks, and does it.

use super::{job, policy};
use crate::cli::confirm::confirm;
use crate::cli::exit::{CliError, Exit};
use crate::cli::job::{supervised, told};
use crate::cli::scene::Scene;
use crate::privacy::show;
use crate::run::{Job as _, execute};

pub(super) async fn run(name: Option<&str>, yes: bool, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let policy = policy(name, scene)?;
    let state = scene.state().await?;
    let job = job(policy, scene);
    if !yes {
        let plan = job.make_plan(&state).await?;
        scene.output.line(show::plan(&plan));
        let rows: u64 = plan.rules.iter().filter_map(|rule| rule.meaning.as_ref()).map(|meaning| meaning.rows).sum();
        confirm(&format!("apply {} to {} ({rows} rows)", policy.name, policy.database), false)?;
    }
    let report = supervised(scene, &job.name(), |request, cancel| {
        let (job, state) = (&job, &state);
        async move { execute(job, &request, state, &cancel).await }
    })
    .await;
    for rule in report.summary.iter().flat_map(|summary| summary["rules"].as_array().into_iter().flatten()) {
        let (rows, batches) = (&rule["rows"], &rule["batches"]);
        let name = rule["rule"].as_str().unwrap_or_default();
        scene.output.line(format!("{name}: {rows} rows in {batches} transactions, longest {} ms", rule["longest_ms"]));
    }
    told(&job.name(), report, scene)
}
