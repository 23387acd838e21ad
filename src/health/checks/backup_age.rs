//! Age of the newest good backup, by what its jobs promise.

use jiff::SignedDuration;

use super::{Check, LookAt, scheduled};
use crate::config::{CheckName, JobKind};
use crate::health::view::known;
use crate::health::{OwnView, Seen, Unseen, Verdict};
use crate::state::{Backup, BackupFilter, BackupState, Status, Verification};

pub(super) const CHECK: Check = Check {
    name: CheckName::BackupAge,
    about: "age of the newest good backup; by default compared with the longest pause of its job's schedule",
    deep: false,
    warning: None,
    critical: None,
    source: "one and a half of the schedule's longest pauses: one backup is missing; three of them: two are",
    look: LookAt { postgres: None, sqlite: None, own: Some(|view| Box::pin(look(view))) },
};

/// Without a schedule: a week, a month.
const BY_HAND: (f64, f64) = (7.0 * 86_400.0, 30.0 * 86_400.0);

pub(super) fn is_good(backup: &Backup) -> bool {
    matches!(backup.state, BackupState::Complete | BackupState::Partial)
        && backup.complete_in().next().is_some()
        && backup.verified != Some(Verification::Bad)
}

async fn look(view: &mut OwnView<'_>) -> Seen {
    if scheduled::backups(view.config, &view.database.name).is_empty() {
        return Err(Unseen::not_applicable("no backup job of this database"));
    }
    let mut jobs = scheduled::of(view.config, &view.database.name);
    jobs.retain(|job| job.kind == JobKind::Backup);
    let pause = jobs.iter().filter_map(|job| scheduled::longest_pause(job.schedule, job.timezone, view.now)).min();
    let (warning, critical) = pause.map_or(BY_HAND, |pause: SignedDuration| {
        let pause = pause.as_secs_f64();
        (1.5 * pause, 3.0 * pause)
    });
    let critical = view.limits.critical.unwrap_or(critical);
    view.limits.critical = Some(critical);
    view.limits.warning = Some(view.limits.warning.unwrap_or(warning).min(critical));
    let backups = known(view.state.backups(BackupFilter::Database(view.database.name.as_str())).await)?;
    let newest = backups.iter().find(|backup| is_good(backup));
    let mut evidence = Vec::new();
    for backup in backups.iter().take(5) {
        let stores: Vec<&str> = backup.complete_in().collect();
        let bad = if backup.verified == Some(Verification::Bad) { ", found bad" } else { "" };
        let places = if stores.is_empty() { "nowhere".to_owned() } else { stores.join(", ") };
        evidence.push(format!("{}: {}, in {places}{bad}", backup.id, backup.state.as_str()));
    }
    let (age, summary) = match newest {
        Some(backup) => {
            let age = view.now.duration_since(backup.started_at).as_secs_f64();
            (age, format!("the newest good backup, {}, is {} old", backup.id, crate::units::seconds(age)))
        }
        None => {
            // From when on there might have been one.
            let ledger = known(view.state.ledger(view.now).await)?;
            let since = jobs.iter().filter_map(|job| ledger.get(&job.name)).min();
            let Some(since) = since else {
                let verdict = Verdict::new(Status::Warning, "there is no good backup").evidence(evidence);
                return Ok(verdict.advice("run the job: `caretaker job run`"));
            };
            let age = view.now.duration_since(*since).as_secs_f64();
            (age, format!("there is no good backup, {} after the job became due", crate::units::seconds(age)))
        }
    };
    let verdict = Verdict::new(view.limits.judge(age), summary).figure(age).evidence(evidence);
    Ok(verdict.advice("see what became of its runs, `caretaker job history`, and run one: `caretaker job run`"))
}
