//! Who is told of what.

use crate::config::{AlertSeverity, Config, Route};
use crate::state::{CheckKey, Incident, Silence, Status};

use super::patience::{DELIVERY, HEALTH, JOB, health_job, policy};

/// The channels that are told of an incident, by the worst it has been: who was told that something is CRITICAL is also
/// told that it is less so.
pub(super) fn channels<'a>(config: &'a Config, incident: &Incident) -> Vec<&'a str> {
    let alerts = &config.alerts;
    let all = config.channels.keys().map(|name| name.as_str());
    let told: Vec<&str> = if alerts.routes.is_empty() {
        // Those who are called when nobody else has answered are not told before.
        let is_last = |name: &&str| alerts.escalate_to.iter().any(|channel| channel.as_str() == *name);
        let first: Vec<&str> = all.clone().filter(|name| !is_last(name)).collect();
        if first.is_empty() { all.collect() } else { first }
    } else {
        let takes = |channel: &&str| {
            let routes = alerts.routes.iter().filter(|route| matches(config, route, incident));
            routes.flat_map(|route| &route.channels).any(|name| name.as_str() == *channel)
        };
        all.filter(takes).collect()
    };
    told.into_iter().filter(|channel| !is_about(channel, incident)).collect()
}

/// The channels that are told of an incident that nobody has acknowledged.
pub(super) fn escalation<'a>(config: &'a Config, incident: &Incident) -> Vec<&'a str> {
    config.alerts.escalate_to.iter().map(|name| name.as_str()).filter(|name| !is_about(name, incident)).collect()
}

/// Whether an incident is that the channel itself does not deliver.
fn is_about(channel: &str, incident: &Incident) -> bool {
    incident.key.source == DELIVERY && incident.key.subject == channel
}

fn matches(config: &Config, route: &Route, incident: &Incident) -> bool {
    let Route { severity, database: wanted, check, environment, channels: _ } = route;
    severity.is_none_or(|severity| self::severity(incident.worst) >= severity)
        && wanted.as_ref().is_none_or(|wanted| database(config, &incident.key) == Some(wanted.as_str()))
        && check.as_ref().is_none_or(|check| is_of(check, &incident.key))
        && environment.is_none_or(|environment| environment == config.daemon.environment)
}

fn severity(status: Status) -> AlertSeverity {
    match status {
        Status::Critical => AlertSeverity::Critical,
        Status::Warning => AlertSeverity::Warning,
        Status::Unknown | Status::Ok | Status::NotApplicable => AlertSeverity::Unknown,
    }
}

/// Whether a check's or a job's name is that of what was looked at.
fn is_of(name: &str, key: &CheckKey) -> bool {
    match key.source.as_str() {
        JOB => name == key.subject,
        _ => name == key.name,
    }
}

/// The database that something is about.
fn database<'a>(config: &'a Config, key: &'a CheckKey) -> Option<&'a str> {
    match key.source.as_str() {
        HEALTH => Some(&key.subject),
        JOB => {
            let (kind, name) = key.subject.split_once('.')?;
            match kind {
                "backup" => config.backups.get(name).map(|job| job.database.as_str()),
                "health" => health_job(config, name).map(|job| job.database.as_str()),
                "privacy" => policy(config, name).map(|policy| policy.database.as_str()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a silence is about an incident: it names its check, its job, its database, or `DATABASE/CHECK`.
pub fn is_silenced(config: &Config, silence: &Silence, incident: &Incident) -> bool {
    let key = &incident.key;
    let target = silence.target.as_str();
    match target.split_once('/') {
        Some((of, check)) => database(config, key) == Some(of) && is_of(check, key),
        None => database(config, key) == Some(target) || is_of(target, key) || key.subject == target,
    }
}
