//! What a digest says.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::config::Config;
use crate::state::{Backup, BackupFilter, RunFilter, RunState, State, StateError, Verification};
use crate::units;

/// Paragraph by paragraph: jobs, databases, what is due.
pub(super) async fn paragraphs(
    state: &State,
    config: &Config,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<String>, StateError> {
    let day = |at: Timestamp| at.to_zoned(config.alerts.timezone.clone()).strftime("%a %Y-%m-%d %H:%M %Z").to_string();
    let mut said = vec![format!("From {} to {}.", day(since), day(now))];
    said.push(jobs(state, since).await?);
    said.push(databases(state, config, now).await?);
    said.push(due(config, now, &day));
    let open = state.incidents(false).await?.len();
    said.push(match open {
        0 => "Nothing is wrong now.".to_owned(),
        1 => "One incident is open.".to_owned(),
        many => format!("{many} incidents are open."),
    });
    Ok(said)
}

async fn jobs(state: &State, since: Timestamp) -> Result<String, StateError> {
    let runs = state.runs(&RunFilter::default()).await?;
    let mut jobs: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.started_at >= since && run.state != RunState::Running) {
        *jobs.entry(&run.job).or_default().entry(run.state.as_str()).or_default() += 1;
    }
    if jobs.is_empty() {
        return Ok("Jobs: none has run.".to_owned());
    }
    let line = |(job, states): (&&str, &BTreeMap<&str, u32>)| {
        let states: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        format!("  {job}: {}", states.join(", "))
    };
    Ok(format!("Jobs:\n{}", jobs.iter().map(line).collect::<Vec<_>>().join("\n")))
}

async fn databases(state: &State, config: &Config, now: Timestamp) -> Result<String, StateError> {
    let mut lines = Vec::new();
    for name in config.databases.keys() {
        let backups = state.backups(BackupFilter::Database(name.as_str())).await?;
        let ago = |at: Timestamp| units::seconds(now.duration_since(at).as_secs_f64());
        let whole: Vec<&Backup> = backups.iter().filter(|backup| backup.complete_in().next().is_some()).collect();
        let newest = whole.first().map_or("no backup".to_owned(), |backup| {
            format!("{} backups, the newest {} ago ({})", whole.len(), ago(backup.started_at), backup.state.as_str())
        });
        let verified = backups.iter().filter(|backup| backup.verified == Some(Verification::Good));
        let proof = verified.filter_map(|backup| backup.verified_at).max();
        let proof = proof.map_or("never verified".to_owned(), |at| format!("last verified {} ago", ago(at)));
        let growth = growth(&whole).map_or(String::new(), |growth| format!(", {growth}"));
        lines.push(format!("  {name}: {newest}, {proof}{growth}"));
    }
    Ok(if lines.is_empty() {
        "No database is configured.".to_owned()
    } else {
        format!("Databases:\n{}", lines.join("\n"))
    })
}

/// How much more there is in the newest backup than in the oldest. The newest comes first.
#[allow(clippy::cast_precision_loss, reason = "for people")]
fn growth(whole: &[&Backup]) -> Option<String> {
    let size = |backup: &Backup| {
        let manifest: serde_json::Value = serde_json::from_str(backup.manifest.as_deref()?).ok()?;
        let objects = manifest["objects"].as_array()?;
        Some(objects.iter().filter_map(|object| object["plain_bytes"].as_u64()).sum::<u64>())
    };
    let (newest, oldest) = (size(whole.first()?)?, size(whole.last()?)?);
    let span = units::seconds(whole.first()?.started_at.duration_since(whole.last()?.started_at).as_secs_f64());
    let (newest_text, by) = (units::bytes(newest as f64), units::bytes(newest.abs_diff(oldest) as f64));
    Some(match newest.cmp(&oldest) {
        std::cmp::Ordering::Equal => newest_text,
        std::cmp::Ordering::Greater => format!("{newest_text}, {by} more than {span} before"),
        std::cmp::Ordering::Less => format!("{newest_text}, {by} less than {span} before"),
    })
}

fn due(config: &Config, now: Timestamp, day: &impl Fn(Timestamp) -> String) -> String {
    let backups = config.backups.values().filter_map(|job| {
        let next = job.schedule.as_ref()?.next(&job.timezone, now)?;
        Some(format!("  backup.{}: {}", job.name, day(next)))
    });
    let lines: Vec<String> = backups.collect();
    if lines.is_empty() { "Nothing is scheduled.".to_owned() } else { format!("Next:\n{}", lines.join("\n")) }
}
