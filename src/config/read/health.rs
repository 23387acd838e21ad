//! `[health.*]`

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::super::{
    Bad, CheckName, CheckSettings, DatabaseKind, HealthJob, JobKind, JobName, Maintenance, Migrations, PostgresTarget,
    Unit, suggest,
};
use super::secret::SecretKeys;
use super::values::{boolean, bytes_of, duration, duration_of, number, path, schedule, text, timezone};
use super::{Known, Problem, Section, Spot, database};

/// Reads one job. `zone`: the daemon's; `None` if that is wrong, which was reported.
pub(super) fn read(
    name: &str,
    section: &Section<'_>,
    known: &Known,
    zone: Option<&TimeZone>,
) -> Option<(String, HealthJob)> {
    let name_ok = JobName::new(JobKind::Health, name).map_err(|error| {
        section.reader.error(&section.name_origin(), Problem::new(error.to_string()));
    });
    let database = section.required("database", |spot| known.database(spot));
    let frequent = section.or("schedule", HealthJob::SCHEDULE, schedule);
    let deep = section.or("deep_schedule", HealthJob::DEEP_SCHEDULE, schedule);
    let own_zone = section.optional("timezone", timezone);
    let maintenance = section.sections("maintenance").iter().filter_map(maintenance).collect();
    let migrations = section.has("migrations").then(|| migrations(&section.table("migrations")));
    let pgbouncer = section.has("pgbouncer").then(|| console(&section.table("pgbouncer")));
    section.know("migrations");
    section.know("pgbouncer");
    let heartbeat = SecretKeys::ping(section);
    let checks: BTreeMap<_, _> =
        section.tables("checks").iter().filter_map(|(name, table)| settings(name, table)).collect();
    section.finish();
    if name_ok.is_err() || section.is_faulty() {
        return None;
    }
    let job = HealthJob {
        name: name.to_owned(),
        database: database?,
        schedule: frequent?,
        deep_schedule: deep?,
        timezone: own_zone.or_else(|| zone.cloned())?,
        maintenance,
        migrations: migrations.map_or(Some(None), |read| read.map(Some))?,
        pgbouncer: pgbouncer.map_or(Some(None), |read| read.map(Some))?,
        heartbeat,
        checks,
    };
    Some((name.to_owned(), job))
}

fn maintenance(section: &Section<'_>) -> Option<Maintenance> {
    let begins = section.required("schedule", schedule);
    let lasts = section.required("duration", duration);
    section.finish();
    Some(Maintenance { schedule: begins?, duration: lasts? })
}

fn migrations(section: &Section<'_>) -> Option<Migrations> {
    let dir = section.optional("dir", path);
    let expected = section.optional("expected", text);
    section.finish();
    if dir.is_none() && expected.is_none() && !section.is_faulty() {
        section.error(
            Problem::new("this says nothing")
                .help("name the migrations' folder as `dir`, or the last one as `expected`"),
        );
    }
    (!section.is_faulty()).then_some(Migrations { dir, expected })
}

/// PgBouncer's admin console, with the keys of a `[databases.*]`.
fn console(section: &Section<'_>) -> Option<PostgresTarget> {
    match database::read(BOUNCER_CONSOLE, section)?.1.kind {
        DatabaseKind::Postgres(target) if target.dbname == BOUNCER_CONSOLE => Some(target),
        _ => {
            let problem = Problem::new("this URL is not that of PgBouncer's admin console");
            section.error(problem.help("its database is called `pgbouncer`: `postgres://user@host:6432/pgbouncer`"));
            None
        }
    }
}

/// What PgBouncer calls its console. <https://www.pgbouncer.org/usage.html#admin-console>
const BOUNCER_CONSOLE: &str = "pgbouncer";

fn settings(name: &str, section: &Section<'_>) -> Option<(CheckName, CheckSettings)> {
    let Some(check) = CheckName::ALL.iter().copied().find(|check| check.as_str() == name) else {
        let problem = match suggest(name, CheckName::ALL.iter().map(|check| check.as_str())) {
            Some(near) => Problem::new(format!("unknown check `{name}`; did you mean `{near}`?")),
            None => Problem::new(format!("unknown check `{name}`")).help("`caretaker health --checks` lists them"),
        };
        section.reader.error(&section.name_origin(), problem);
        return None;
    };
    let figure = |spot: &Spot<'_>| figure(spot, check.unit());
    let disabled = section.or("disabled", false, boolean);
    let warning = section.optional("warning", figure);
    let critical = section.optional("critical", figure);
    let clear = section.optional("clear", figure);
    let exclude = section.list("exclude", text).unwrap_or_default();
    let enter_after = section.optional("enter_after", number(1..=1000));
    let leave_after = section.optional("leave_after", number(1..=1000));
    section.finish();
    if let (Some(warning), Some(critical)) = (warning, critical) {
        let (swapped, how) = match check.bad() {
            Bad::High => (critical < warning, "below"),
            Bad::Low => (critical > warning, "above"),
        };
        if swapped {
            section.error(
                Problem::new(format!("`critical` lies {how} `warning`"))
                    .help("the critical threshold is the one that is reached later"),
            );
        }
    }
    let settings = CheckSettings { disabled: disabled?, warning, critical, clear, exclude, enter_after, leave_after };
    (!section.is_faulty()).then_some((check, settings))
}

/// A threshold, in the base of the check's unit.
fn figure(spot: &Spot<'_>, unit: Unit) -> Result<f64, Problem> {
    let words = spot.text().ok();
    let parsed = match (unit, words) {
        (Unit::Seconds, Some(words)) => duration_of(words).map(|duration| duration.as_secs_f64()),
        (Unit::Bytes, Some(words)) => bytes_of(words).map(|bytes| bytes as f64),
        (Unit::Share, Some(words)) => {
            words.trim().strip_suffix('%').and_then(|percent| percent.trim().parse::<f64>().ok()).map(|p| p / 100.0)
        }
        _ => spot.float().ok(),
    };
    let wrong = || {
        let help = match unit {
            Unit::Seconds => "write a duration such as `\"30s\"` or `\"2 days\"`, or a number of seconds",
            Unit::Bytes => "write a size such as `\"10GiB\"`, or a number of bytes",
            Unit::Share => "write a share such as `0.9`, or `\"90 %\"`",
            Unit::Count => "write a number",
        };
        Problem::new("this is not a threshold for this check").help(help)
    };
    let figure = parsed.filter(|figure| figure.is_finite() && *figure >= 0.0).ok_or_else(wrong)?;
    if unit == Unit::Share && figure > 1.0 {
        return Err(wrong());
    }
    Ok(figure)
}
