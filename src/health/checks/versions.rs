//! How long the server's major version is still looked after by its makers.

use jiff::civil::Date;

use super::{Check, LookAt, end_of_life};
use crate::config::CheckName;
use crate::health::{PostgresView, Seen, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::Versions,
    about: "time until the server's major version gets no more fixes",
    deep: false,
    warning: Some(180.0 * 86_400.0),
    critical: Some(0.0),
    source: "half a year is enough to plan an upgrade; past the end there are no security fixes",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let major = view.server.major;
    let (end, is_known) = end_of_life::of_postgres(major);
    let left = seconds_until(end, view.own.now);
    let length = crate::units::seconds(left.abs());
    let summary = match (is_known, left < 0.0) {
        (true, true) => format!("PostgreSQL {major} has had no fixes since {end}, for {length}"),
        (true, false) => format!("PostgreSQL {major} gets fixes until {end}, for {length}"),
        (false, true) => format!("PostgreSQL {major} has had no fixes since {end} or earlier"),
        (false, false) => format!("PostgreSQL {major} is newer than this Caretaker, and gets fixes beyond {end}"),
    };
    Ok(Verdict::new(view.own.limits.judge(left), summary)
        .figure(left)
        .evidence([format!("PostgreSQL {}", view.server.version)])
        .advice(format!("plan the upgrade to a newer major version; {} has the dates", end_of_life::SOURCE)))
}

/// To the end of that day, UTC.
fn seconds_until(day: Date, now: jiff::Timestamp) -> f64 {
    let end = day.tomorrow().unwrap_or(day).to_zoned(jiff::tz::TimeZone::UTC);
    end.map_or(0.0, |end| end.timestamp().duration_since(now).as_secs_f64())
}
