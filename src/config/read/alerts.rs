//! `[alerts]`

use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::super::{AlertSeverity, Alerts, ChannelName, CheckName, Environment, QuietHours, Route, suggest};
use super::values::{choice, duration, number, schedule, timezone};
use super::{Known, Problem, Section, Spot};

/// Reads the table. `zone`: the daemon's; `None` if that is wrong, which was reported.
pub(super) fn read(section: &Section<'_>, known: &Known, zone: Option<&TimeZone>) -> Option<Alerts> {
    let channels = |key| section.list(key, |spot| known.channel(spot)).unwrap_or_default();
    let enter_after = section.or("enter_after", 2, number(1..=1000));
    let leave_after = section.or("leave_after", 2, number(1..=1000));
    let group_wait = section.or("group_wait", "30s", duration);
    let group_interval = section.or("group_interval", "5m", duration);
    let remind_after = section.or("remind_after", "4h", duration);
    let quiet_hours = section.optional("quiet_hours", quiet_hours);
    let digest = section.optional("digest", schedule);
    let digest_to = channels("digest_to");
    let escalate_after = section.optional("escalate_after", duration);
    let escalate_to = channels("escalate_to");
    let expire_after = section.or("expire_after", "3 days", duration);
    let fire_drill = section.optional("fire_drill", schedule);
    let own_zone = section.optional("timezone", timezone);
    let routes: Vec<Route> = section.sections("routes").iter().filter_map(|table| route(table, known)).collect();
    for (one, other) in [("escalate_after", "escalate_to"), ("escalate_to", "escalate_after"), ("digest_to", "digest")]
    {
        if section.has(one) && !section.has(other) {
            section.error(Problem::new(format!("`{one}` needs `{other}` beside it")));
        }
    }
    section.finish();
    if section.is_faulty() {
        return None;
    }
    Some(Alerts {
        enter_after: enter_after?,
        leave_after: leave_after?,
        group_wait: group_wait?,
        group_interval: group_interval?,
        remind_after: remind_after?,
        quiet_hours,
        digest,
        digest_to,
        escalate_after,
        escalate_to,
        expire_after: expire_after?,
        fire_drill,
        timezone: own_zone.or_else(|| zone.cloned())?,
        routes,
    })
}

fn route(section: &Section<'_>, known: &Known) -> Option<Route> {
    let severities = [
        ("unknown", AlertSeverity::Unknown),
        ("warning", AlertSeverity::Warning),
        ("critical", AlertSeverity::Critical),
    ];
    let environments = [
        ("production", Environment::Production),
        ("staging", Environment::Staging),
        ("development", Environment::Development),
    ];
    let severity = section.optional("severity", choice(&severities));
    let database = section.optional("database", |spot| known.database(spot));
    let check = section.optional("check", check);
    let environment = section.optional("environment", choice(&environments));
    if !section.has("channels") {
        section.is_missing("channels");
    }
    let channels: Option<Vec<ChannelName>> = section.list("channels", |spot| known.channel(spot));
    if channels.as_ref().is_some_and(Vec::is_empty) {
        section.error(Problem::new("a route needs a channel").help("take the route out, or name one in `channels`"));
    }
    section.finish();
    if section.is_faulty() {
        return None;
    }
    Some(Route { severity, database, check, environment, channels: channels? })
}

/// A check, or a job by its full name.
fn check(spot: &Spot<'_>) -> Result<String, Problem> {
    let text = spot.text()?;
    let known = || CheckName::ALL.iter().map(|check| check.as_str());
    if text.contains('.') || known().any(|name| name == text) {
        return Ok(text.to_owned());
    }
    Err(match suggest(text, known()) {
        Some(near) => Problem::new(format!("unknown check `{text}`; did you mean `{near}`?")),
        None => Problem::new(format!("unknown check `{text}`"))
            .help("name a check such as `connections`, or a job such as `backup.nightly`"),
    })
}

/// `22:00-07:00`
fn quiet_hours(spot: &Spot<'_>) -> Result<QuietHours, Problem> {
    let wrong = || Problem::new("these are no hours of the day").help("write them like `\"22:00-07:00\"`");
    let time = |text: &str| text.trim().parse::<Time>().ok().filter(|_| text.contains(':'));
    let (from, until) = spot.text()?.split_once('-').ok_or_else(wrong)?;
    let hours = QuietHours { from: time(from).ok_or_else(wrong)?, until: time(until).ok_or_else(wrong)? };
    if hours.from == hours.until {
        return Err(Problem::new("quiet hours that begin when they end"));
    }
    Ok(hours)
}
