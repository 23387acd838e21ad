//! A digest's jobs: how often they ran, and what came of it.

use jiff::Timestamp;

use super::super::{Row, Section};
use super::databases::ago;
use crate::config::Config;
use crate::state::{Run, RunFilter, RunState, State, StateError, Status};
use crate::units;

/// One row for each job that is configured. Rounds of health checks are not among them: what they find is.
pub(super) async fn section(
    state: &State,
    config: &Config,
    since: Timestamp,
    now: Timestamp,
) -> Result<Section, StateError> {
    let mut rows = Vec::new();
    for job in config.backups.values() {
        let name = format!("backup.{}", job.name);
        let filter = RunFilter { job: Some(name.clone()), since: Some(since), ..RunFilter::default() };
        let runs = state.runs(&filter).await?;
        let mut facts = vec![counted(&runs)];
        let status = runs.iter().find(|run| run.state != RunState::Running).map_or(Status::Ok, of);
        if status > Status::Ok || runs.is_empty() {
            facts.push(match state.last_success(&name).await? {
                Some(at) => format!("last success {} ago", ago(at, now)),
                None => "it has never succeeded".to_owned(),
            });
        }
        rows.push(Row { name, status, facts });
    }
    Ok(Section { title: "Jobs".to_owned(), rows })
}

/// How a job is that has come to this last.
fn of(run: &Run) -> Status {
    match run.state {
        RunState::Failed => Status::Critical,
        RunState::Partial | RunState::Interrupted => Status::Warning,
        RunState::Running | RunState::Succeeded | RunState::Cancelled => Status::Ok,
    }
}

/// `7 runs, all succeeded`, `5 of 7 runs succeeded; 1 failed, 1 partial`. The newest comes first.
fn counted(runs: &[Run]) -> String {
    let count = |state| runs.iter().filter(|run| run.state == state).count();
    let good = count(RunState::Succeeded);
    let others = [RunState::Failed, RunState::Partial, RunState::Interrupted, RunState::Cancelled, RunState::Running];
    let others: Vec<String> = others
        .into_iter()
        .map(|state| (state, count(state)))
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {}", state.as_str()))
        .collect();
    match (runs.len(), others.as_slice()) {
        (0, _) => "has not run".to_owned(),
        (1, []) => "1 run, which succeeded".to_owned(),
        (all, []) => format!("{}, all succeeded", units::counted(all, "run", "runs")),
        (all, others) => {
            format!("{good} of {} succeeded; {}", units::counted(all, "run", "runs"), others.join(", "))
        }
    }
}
