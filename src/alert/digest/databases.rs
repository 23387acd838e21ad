//! A digest's databases: their size and growth, health, backups and proofs.

use jiff::{SignedDuration, Timestamp};

use super::super::patience::{self, HEALTH};
use super::super::{Row, Section};
use crate::config::Config;
use crate::state::{Backup, BackupFilter, State, StateError, Status, Verification};
use crate::units;

/// What the check `growth` keeps of each look.
const SIZE: &str = "database_bytes";

/// Growth is told from figures that lie this far apart; and from as much of a day as there is, however often digests come.
const LEAST: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// One row for each database.
pub(super) async fn section(
    state: &State,
    config: &Config,
    since: Timestamp,
    now: Timestamp,
) -> Result<Section, StateError> {
    let mut rows = Vec::new();
    for name in config.databases.keys() {
        let backups = state.backups(BackupFilter::Database(name.as_str())).await?;
        let whole: Vec<&Backup> = backups.iter().filter(|backup| backup.complete_in().next().is_some()).collect();
        let (health, status) = health(state, config, name.as_str()).await?;
        let size = size(state, name.as_str(), since, now).await?;
        let facts = [size.or_else(|| size_of(&whole)), health, Some(newest(&whole, now)), Some(proof(&backups, now))];
        rows.push(Row { name: name.to_string(), status, facts: facts.into_iter().flatten().collect() });
    }
    Ok(Section { title: "Databases".to_owned(), rows })
}

/// How large it is, and how much it grows, by what was seen of it in this time.
async fn size(state: &State, name: &str, since: Timestamp, now: Timestamp) -> Result<Option<String>, StateError> {
    let from = now.checked_sub(DAY).map_or(since, |day| day.min(since));
    let mut seen = state.samples(name, SIZE, from).await?;
    seen.retain(|sample| sample.object.is_empty() && sample.at <= now);
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return Ok(None) };
    let span = last.at.duration_since(first.at);
    let size = units::bytes(last.value);
    if span < LEAST {
        return Ok(Some(size));
    }
    let a_day = (last.value - first.value) / span.as_secs_f64() * DAY.as_secs_f64();
    Ok(Some(match a_day {
        _ if a_day.abs() < 1.0 => format!("{size}, does not grow"),
        0.0.. => format!("{size}, grows by {} a day", units::bytes(a_day)),
        _ => format!("{size}, shrinks by {} a day", units::bytes(-a_day)),
    }))
}

/// The size as its newest backup knows it, where nobody looks at its health.
#[allow(clippy::cast_precision_loss, reason = "for people")]
fn size_of(whole: &[&Backup]) -> Option<String> {
    let manifest: serde_json::Value = serde_json::from_str(whole.first()?.manifest.as_deref()?).ok()?;
    let objects = manifest["objects"].as_array()?;
    let bytes = objects.iter().filter_map(|object| object["plain_bytes"].as_u64()).sum::<u64>();
    Some(format!("{} in the newest backup", units::bytes(bytes as f64)))
}

/// What its checks say now, and the worst of it.
async fn health(state: &State, config: &Config, name: &str) -> Result<(Option<String>, Status), StateError> {
    let mut said = state.last_checks(HEALTH, Some(name)).await?;
    said.retain(|last| patience::is_configured(config, &last.observation.key));
    let statuses = [Status::Critical, Status::Warning, Status::Unknown, Status::Ok];
    let counts = statuses.map(|status| (status, said.iter().filter(|it| it.observation.status == status).count()));
    let worst = counts.iter().find(|(_, count)| *count > 0).map_or(Status::Ok, |(status, _)| *status);
    let words: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| format!("{count} {}", status.as_str().to_uppercase()))
        .collect();
    Ok(((!words.is_empty()).then(|| format!("checks: {}", words.join(", "))), worst))
}

fn newest(whole: &[&Backup], now: Timestamp) -> String {
    match whole {
        [] => "no backup".to_owned(),
        [newest, ..] => {
            let count = units::counted(whole.len(), "backup", "backups");
            format!("{count}, the newest {} ago, {}", ago(newest.started_at, now), newest.state.as_str())
        }
    }
}

fn proof(backups: &[Backup], now: Timestamp) -> String {
    match last_proof(backups) {
        Some(at) => format!("last proof {} ago", ago(at, now)),
        None => "never proven".to_owned(),
    }
}

/// When a backup was last proven to be good.
pub(super) fn last_proof(backups: &[Backup]) -> Option<Timestamp> {
    let good = backups.iter().filter(|backup| backup.verified == Some(Verification::Good));
    good.filter_map(|backup| backup.verified_at).max()
}

/// How long ago, for people.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    units::seconds(now.duration_since(at).as_secs_f64())
}
