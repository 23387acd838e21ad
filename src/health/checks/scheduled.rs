//! The jobs of a database that have a schedule, and how often they run.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config::{BackupJob, Config, DatabaseName, JobKind};
use crate::schedule::Schedule;

/// A job that has a schedule.
pub(super) struct Scheduled<'c> {
    /// What it does.
    pub kind: JobKind,
    /// As the ledger knows it: `backup.nightly`.
    pub name: String,
    /// When it runs.
    pub schedule: &'c Schedule,
    /// Its zone.
    pub timezone: &'c TimeZone,
}

/// The jobs that work on a database by a schedule; rounds of health checks, which do the looking, are not among them.
pub(super) fn of<'c>(config: &'c Config, database: &DatabaseName) -> Vec<Scheduled<'c>> {
    let job = |kind: JobKind, name: &str, schedule: &'c Option<Schedule>, timezone: &'c TimeZone| {
        let name = format!("{}.{name}", kind.as_str());
        Some(Scheduled { kind, name, schedule: schedule.as_ref()?, timezone })
    };
    let backups = backups(config, database).into_iter();
    let policies = config.privacy.values().filter(|policy| policy.database == *database && policy.is_job());
    backups
        .filter_map(|backup| job(JobKind::Backup, &backup.name, &backup.schedule, &backup.timezone))
        .chain(policies.filter_map(|policy| job(JobKind::Privacy, &policy.name, &policy.schedule, &policy.timezone)))
        .collect()
}

/// The backup jobs of a database.
pub(super) fn backups<'c>(config: &'c Config, database: &DatabaseName) -> Vec<&'c BackupJob> {
    config.backups.values().filter(|job| job.database == *database).collect()
}

/// How far ahead a schedule is looked at for its longest pause: over a weekend, and a month for those that are rare.
const AHEAD: SignedDuration = SignedDuration::from_hours(8 * 24);

/// The longest time between two slots; `None`: there is just one.
pub(super) fn longest_pause(schedule: &Schedule, zone: &TimeZone, now: Timestamp) -> Option<SignedDuration> {
    let (mut longest, mut last) = (None, None::<Timestamp>);
    for (index, slot) in schedule.occurrences(zone, now).enumerate() {
        if let Some(last) = last {
            longest = longest.max(Some(slot.duration_since(last)));
        }
        last = Some(slot);
        // A schedule of every second has no long pauses that a few thousand slots would not show.
        if index >= 13 && (slot.duration_since(now) > AHEAD || index > 3000) {
            break;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_longest_pause_is_the_one_over_the_weekend() {
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        for (schedule, hours) in [
            ("0 2 * * *", 24),
            ("0 2 * * 1-5", 72),
            ("0 * * * *", 1),
            ("0 8-18 * * *", 14),
            ("0 8-18 * * 1-5", 62),
            ("0 3 * * 0", 168),
        ] {
            let pause = longest_pause(&Schedule::parse(schedule).unwrap(), &TimeZone::UTC, now);
            assert_eq!(pause, Some(SignedDuration::from_hours(hours)), "{schedule}");
        }
    }
}
