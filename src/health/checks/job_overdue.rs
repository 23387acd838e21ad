//! Slots of this database's jobs that nobody has taken, and jobs that have not succeeded for too long.

use super::{Check, LookAt, scheduled};
use crate::config::CheckName;
use crate::health::view::known;
use crate::health::{OwnView, Seen, Unseen, Verdict};
use crate::state::RunFilter;

pub(super) const CHECK: Check = Check {
    name: CheckName::JobOverdue,
    about: "how long a slot of a backup job or a privacy policy has been due, or its last success is beyond two of its pauses",
    deep: false,
    warning: Some(600.0),
    critical: Some(3600.0),
    source: "the daemon takes a slot within seconds of its time; one that is not taken means that no daemon runs",
    look: LookAt { postgres: None, sqlite: None, own: Some(|view| Box::pin(look(view))) },
};

async fn look(view: &mut OwnView<'_>) -> Seen {
    let jobs = scheduled::of(view.config, &view.database.name);
    let ledger = known(view.state.ledger(view.now).await)?;
    let (mut worst, mut evidence, mut judged) = (None::<(f64, String)>, Vec::new(), 0);
    for job in jobs {
        let name = &job.name;
        let Some(accounted) = ledger.get(name) else { continue };
        let short = name.split_once('.').map_or(name.as_str(), |(_, short)| short);
        if view.exclude.leaves_out(short) || view.exclude.leaves_out(name) {
            continue;
        }
        judged += 1;
        let late = |since: jiff::Timestamp| view.now.duration_since(since).as_secs_f64().max(0.0);
        let slot = job.schedule.next(job.timezone, *accounted).filter(|slot| *slot <= view.now);
        let untaken = slot.map_or(0.0, late);
        let succeeded = known(view.state.last_success(name).await)?;
        let runs = known(
            view.state
                .runs(&RunFilter { job: Some(name.clone()), running: true, limit: 1, ..RunFilter::default() })
                .await,
        )?;
        // While one runs, it may be the one that succeeds.
        let since_success = match (succeeded, scheduled::longest_pause(job.schedule, job.timezone, view.now)) {
            (Some(at), Some(pause)) if runs.is_empty() => late(at + pause * 2),
            _ => 0.0,
        };
        let succeeded = succeeded.map_or_else(|| "never succeeded".to_owned(), |at| format!("last succeeded {at}"));
        let due = slot.map_or_else(|| "no slot is due".to_owned(), |slot| format!("the slot of {slot} was not taken"));
        evidence.push(format!("{name}: {due}, {succeeded}"));
        let line = if untaken >= since_success {
            format!("{name}: the slot has been due for {}", crate::units::seconds(untaken))
        } else {
            format!(
                "{name} has not succeeded within two of its pauses, and {} more",
                crate::units::seconds(since_success)
            )
        };
        let late = untaken.max(since_success);
        if late > 0.0 && worst.as_ref().is_none_or(|(most, _)| late > *most) {
            worst = Some((late, line));
        }
    }
    if judged == 0 {
        return Err(Unseen::not_applicable("no job of this database was scheduled by a daemon yet"));
    }
    let (late, summary) = worst.unwrap_or((0.0, "every slot was taken in time".to_owned()));
    let verdict = Verdict::new(view.limits.judge(late), summary).figure(late).evidence(evidence);
    Ok(verdict
        .advice("see whether the daemon runs (`caretaker status`) and what its runs say (`caretaker job history`)"))
}
