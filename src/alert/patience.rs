//! How patient to be with a check: by the configuration, its kind, and what it goes through.

use jiff::{SignedDuration, Timestamp};

use super::engine::Patience;
use crate::config::{Bad, CheckName, Config, HealthJob, PrivacyPolicy};
use crate::state::{CheckKey, Observation};

/// The source of what checks of databases say.
pub(super) const HEALTH: &str = "health";
/// The source of what jobs come to.
pub(super) const JOB: &str = "job";
/// The source of what becomes of notifications.
pub(super) const DELIVERY: &str = "delivery";

/// The patience with what was observed. `is_cut_off`: whether the connection to its database is down.
pub(super) fn patience(config: &Config, seen: &Observation, is_cut_off: bool) -> Patience {
    let at_once = Patience { enter_after: 1, leave_after: 1, clear: None, maintenance: false, held: false };
    if seen.key.source != HEALTH {
        return at_once;
    }
    let check = check(&seen.key);
    let job = jobs(config, &seen.key).next();
    let settings = job.and_then(|job| job.checks.get(&check?));
    let default = if check == Some(CheckName::Connectivity) { 1 } else { config.alerts.enter_after };
    let high = check.is_none_or(|check| check.bad() == Bad::High);
    Patience {
        enter_after: settings.and_then(|settings| settings.enter_after).unwrap_or(default),
        leave_after: settings.and_then(|settings| settings.leave_after).unwrap_or(config.alerts.leave_after),
        clear: settings.and_then(|settings| settings.clear).map(|clear| (clear, high)),
        maintenance: jobs(config, &seen.key).any(|job| is_maintained(job, seen.at)),
        held: is_cut_off && is_behind_connection(&seen.key),
    }
}

/// Whether a check of a database cannot see while there is no connection to it.
pub(super) fn is_behind_connection(key: &CheckKey) -> bool {
    key.source == HEALTH && check(key).is_some_and(CheckName::is_behind_connection)
}

/// Whether the configuration still has what a check or job looks at; what it does not have cannot come to an end by
/// itself.
pub(super) fn is_configured(config: &Config, key: &CheckKey) -> bool {
    match key.source.as_str() {
        HEALTH => jobs(config, key).any(|job| {
            check(key).is_none_or(|check| !job.checks.get(&check).is_some_and(|settings| settings.disabled))
        }),
        JOB => match key.subject.split_once('.') {
            Some(("backup", name)) => config.backups.contains_key(name),
            Some(("health", name)) => health_job(config, name).is_some(),
            Some(("privacy", name)) => has_policy(config, name, &key.name),
            // Of a kind this room does not know.
            _ => true,
        },
        DELIVERY => config.channels.keys().any(|channel| channel.as_str() == key.subject),
        _ => true,
    }
}

/// Whether there is still the policy, or the queue of it, that something was said of.
fn has_policy(config: &Config, name: &str, check: &str) -> bool {
    let has_queue = |policy: &PrivacyPolicy| policy.subject.as_ref().is_some_and(|subject| subject.queue.is_some());
    let is_of_queue = name.contains('.') || check == "queue";
    policy(config, name).is_some_and(|policy| !is_of_queue || has_queue(policy))
}

/// The policy that a privacy job is made of: `ferpa`, and `ferpa.queue` for what applications ask for.
pub(super) fn policy<'a>(config: &'a Config, name: &str) -> Option<&'a PrivacyPolicy> {
    config.privacy.get(name.split('.').next()?)
}

/// The table that a health job is made of: `app`, and `app.deep` for what is looked at more rarely.
pub(super) fn health_job<'a>(config: &'a Config, name: &str) -> Option<&'a HealthJob> {
    config.health.get(name).or_else(|| config.health.get(name.split('.').next()?))
}

fn check(key: &CheckKey) -> Option<CheckName> {
    CheckName::ALL.iter().copied().find(|check| check.as_str() == key.name)
}

fn jobs<'a>(config: &'a Config, key: &'a CheckKey) -> impl Iterator<Item = &'a HealthJob> {
    config.health.values().filter(|job| job.database.as_str() == key.subject)
}

/// Whether one of a job's times of maintenance holds at an instant.
fn is_maintained(job: &HealthJob, at: Timestamp) -> bool {
    job.maintenance.iter().any(|window| {
        let Ok(length) = SignedDuration::try_from(window.duration) else { return false };
        // The beginning itself counts, and schedules give what comes after an instant.
        let Ok(before) = at.checked_sub(length) else { return false };
        window.schedule.next(&job.timezone, before).is_some_and(|begin| begin <= at)
    })
}
