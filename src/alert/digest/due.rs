//! A digest's last section: what comes next, and by when something should have been done.

use jiff::{SignedDuration, Timestamp};

use super::super::patience::{self, HEALTH};
use super::super::{Row, Section};
use super::databases::last_proof;
use crate::config::{Bad, CheckName, Config, DatabaseName, Unit};
use crate::state::{BackupFilter, State, StateError, Status};

/// A proof each week, and a day for it: what the check `proof_age` goes by where nothing else is configured.
const PROOF_WITHIN: f64 = 8.0 * 86_400.0;

/// Certificates, versions and passwords that end are told of so long before.
const AHEAD: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What is due at a moment.
type Due = (Timestamp, String);

/// In the order in which it is due; what is late comes first.
pub(super) async fn section(
    state: &State,
    config: &Config,
    now: Timestamp,
    day: &impl Fn(Timestamp) -> String,
) -> Result<Section, StateError> {
    let mut all: Vec<Due> = slots(config, now);
    for database in config.databases.keys() {
        all.extend(proof(state, config, database, now).await?);
        all.extend(ends(state, config, database, now).await?);
    }
    let silences = state.silences(now).await?;
    all.extend(silences.into_iter().map(|it| (it.until, format!("the silence of {} ends: {}", it.target, it.reason))));
    all.sort();
    let row = |(at, what): Due| {
        let status = if at < now { Status::Warning } else { Status::Ok };
        Row { name: day(at), status, facts: vec![what] }
    };
    Ok(Section { title: "Due".to_owned(), rows: all.into_iter().map(row).collect() })
}

fn slots(config: &Config, now: Timestamp) -> Vec<Due> {
    let backups = config.backups.values().filter_map(|job| {
        let next = job.schedule.as_ref()?.next(&job.timezone, now)?;
        Some((next, format!("backup.{}", job.name)))
    });
    let alerts = &config.alerts;
    let drill = alerts.fire_drill.as_ref().and_then(|schedule| schedule.next(&alerts.timezone, now));
    backups.chain(drill.map(|at| (at, "the fire drill".to_owned()))).collect()
}

/// When the next proof of a database's backups should be there.
async fn proof(
    state: &State,
    config: &Config,
    database: &DatabaseName,
    now: Timestamp,
) -> Result<Option<Due>, StateError> {
    let backups = state.backups(BackupFilter::Database(database.as_str())).await?;
    let whole = backups.iter().filter(|backup| backup.complete_in().next().is_some());
    let Some(since) = last_proof(&backups).or_else(|| whole.map(|backup| backup.started_at).min()) else {
        return Ok(None);
    };
    let job = config.health.values().find(|job| job.database == *database);
    let within = job.and_then(|job| job.checks.get(&CheckName::ProofAge)?.warning).unwrap_or(PROOF_WITHIN);
    let due = |at: Timestamp| {
        let late = if at < now { "overdue: " } else { "" };
        (at, format!("{late}a proof of {database} (`caretaker backup verify`)"))
    };
    Ok(later(since, within).map(due))
}

/// What comes to its end soon, by the checks whose figure is the time that is left.
async fn ends(state: &State, config: &Config, database: &DatabaseName, now: Timestamp) -> Result<Vec<Due>, StateError> {
    let mut found = Vec::new();
    for last in state.last_checks(HEALTH, Some(database.as_str())).await? {
        let seen = last.observation;
        let check = CheckName::ALL.iter().find(|check| check.as_str() == seen.key.name);
        let counts_down = check.is_some_and(|check| check.unit() == Unit::Seconds && check.bad() == Bad::Low);
        if !counts_down || !patience::is_configured(config, &seen.key) {
            continue;
        }
        let at = seen.number.and_then(|left| later(seen.at, left));
        if let Some(at) = at.filter(|at| at.duration_since(now) <= AHEAD) {
            found.push((at, format!("{database} {}: {}", seen.key.name, seen.summary)));
        }
    }
    Ok(found)
}

/// So many seconds later.
fn later(at: Timestamp, seconds: f64) -> Option<Timestamp> {
    at.checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
}
