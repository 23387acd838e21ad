//! How far rows may lie beyond their privacy policy: the time since each rule was last applied in full, less what its
//! schedule promises.

use jiff::{SignedDuration, Timestamp};

use super::{Check, LookAt, scheduled};
use crate::config::{CheckName, PrivacyPolicy};
use crate::health::view::known;
use crate::health::{OwnView, Seen, Unseen, Verdict};
use crate::state::{Disposition, DispositionState};

pub(super) const CHECK: Check = Check {
    name: CheckName::PolicyOverdue,
    about: "how long the oldest row may lie beyond the privacy policy: since a rule was last applied, less a pause of its schedule",
    deep: false,
    warning: Some(86_400.0),
    critical: Some(7.0 * 86_400.0),
    source: "a policy that is applied each week promises a week; a day more is a run that was missed, a week more two of them",
    look: LookAt { postgres: None, sqlite: None, own: Some(|view| Box::pin(look(view))) },
};

/// How many of a policy's dispositions are looked back at.
const LOOKED_AT: u32 = 1000;

async fn look(view: &mut OwnView<'_>) -> Seen {
    let (mut worst, mut evidence) = (None::<(f64, String)>, Vec::new());
    let of_database = |policy: &&PrivacyPolicy| policy.database == view.database.name && !policy.rules.is_empty();
    for policy in view.config.privacy.values().filter(of_database) {
        // Until somebody has approved it, it is not in force.
        let approval = known(view.state.approval(&policy.name).await)?;
        let done = known(view.state.dispositions(&policy.name, None, LOOKED_AT).await)?;
        let Some(since) = approval.map(|approval| approval.approved_at).or(done.last().map(|first| first.started_at))
        else {
            evidence.push(format!("{}: it was never approved, nor applied", policy.name));
            continue;
        };
        let pause = policy
            .schedule
            .as_ref()
            .and_then(|schedule| scheduled::longest_pause(schedule, &policy.timezone, view.now));
        for rule in policy.rules.iter().filter(|rule| !view.exclude.leaves_out(&rule.name)) {
            let (late, line) = late(&rule.name, &done, since, pause, view.now);
            let line = format!("{}, {line}", policy.name);
            evidence.push(line.clone());
            if worst.as_ref().is_none_or(|(most, _)| late > *most) {
                worst = Some((late, line));
            }
        }
    }
    let Some((late, line)) = worst else {
        return Err(Unseen::not_applicable("no privacy policy of this database is in force").evidence(evidence));
    };
    let verdict = Verdict::new(view.limits.judge(late), line).figure(late).evidence(evidence);
    Ok(verdict.advice("`caretaker job history` tells why it was not applied; `caretaker privacy plan` what waits"))
}

/// By how much a rule is late, in seconds, and in words.
fn late(
    rule: &str,
    done: &[Disposition],
    since: Timestamp,
    pause: Option<SignedDuration>,
    now: Timestamp,
) -> (f64, String) {
    let completed = done.iter().find(|one| one.rule == rule && one.state == DispositionState::Completed);
    let (from, what) = match completed {
        Some(one) => (one.started_at, format!("{rule}: last applied {:.0}", one.started_at)),
        None => (since, format!("{rule}: never applied since {since:.0}")),
    };
    (now.duration_since(from).saturating_sub(pause.unwrap_or_default()).as_secs_f64().max(0.0), what)
}
