//! `health [DATABASE]`, `health terminate`

mod checks;
mod nagios;
mod show;
mod terminate;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::args::{HealthArgs, HealthCommand};
use super::exit::{CliError, Exit};
use super::scene::Scene;
use crate::config::{DatabaseName, HealthJob};
use crate::database::Servers;
use crate::health::{Depth, Round, Rounds, round};
use crate::state::{LastCheck, Status};

pub(super) async fn run(arguments: &HealthArgs, scene: &Scene<'_>) -> Result<Exit, CliError> {
    if let Some(HealthCommand::Terminate { database, idle_over, yes }) = &arguments.command {
        return terminate::run(database, *idle_over, *yes, scene).await;
    }
    if arguments.checks {
        return Ok(checks::list(scene));
    }
    let state = scene.state().await?;
    let servers = Servers::new(&scene.config);
    let depth = if arguments.deep { Depth::Both } else { Depth::Usual };
    let mut rounds = Vec::new();
    for job in jobs(arguments.database.as_deref(), scene)? {
        let given = Rounds { config: &scene.config, servers: &servers, state: &state, job: &job };
        rounds.push(round(given, depth, Timestamp::now()).await);
    }
    if arguments.nagios {
        return Ok(nagios::print(&rounds, scene.output));
    }
    let mut last = BTreeMap::new();
    for check in state.last_checks("health", None).await? {
        last.insert((check.observation.key.subject.clone(), check.observation.key.name.clone()), check);
    }
    show::print(&rounds, &last, arguments.detailed, scene.output);
    Ok(exit(&rounds))
}

/// 5 for WARNING and CRITICAL, 6 for UNKNOWN, 0 else.
fn exit(rounds: &[Round]) -> Exit {
    match rounds.iter().map(Round::worst).max().unwrap_or(Status::NotApplicable) {
        Status::Critical | Status::Warning => Exit::Found,
        Status::Unknown => Exit::Unseen,
        Status::Ok | Status::NotApplicable => Exit::Done,
    }
}

/// The health jobs of a database, or of all; with the defaults where no table stands for it.
fn jobs(database: Option<&str>, scene: &Scene<'_>) -> Result<Vec<HealthJob>, CliError> {
    let wanted: Vec<DatabaseName> = match database {
        Some(name) => vec![scene.database(name)?],
        None => scene.config.databases.keys().cloned().collect(),
    };
    let configured = scene.config.health.values();
    Ok(wanted
        .into_iter()
        .map(|database| {
            let own = configured.clone().find(|job| job.database == database).cloned();
            own.unwrap_or_else(|| HealthJob::with_defaults(database, &scene.config.daemon.timezone))
        })
        .collect())
}

/// What each check said last, by database and check.
type Last = BTreeMap<(String, String), LastCheck>;
