//! The backup jobs of a database, and how often they run.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config::{BackupJob, Config, DatabaseName, JobKind};
use crate::schedule::Schedule;

/// The jobs of a database.
pub(super) fn of<'c>(config: &'c Config, database: &DatabaseName) -> Vec<&'c BackupJob> {
    config.backups.values().filter(|job| job.database == *database).collect()
}

/// As the ledger knows it: `backup.nightly`.
pub(super) fn full_name(job: &BackupJob) -> String {
    format!("{}.{}", JobKind::Backup.as_str(), job.name)
}

/// How far ahead a schedule is looked at for its longest pause: over a weekend, and a month for those that are rare.
const AHEAD: SignedDuration = SignedDuration::from_hours(8 * 24);

/// The longest time between two of a job's slots; `None`: it has no schedule, or just one slot.
pub(super) fn longest_pause(job: &BackupJob, now: Timestamp) -> Option<SignedDuration> {
    pause_of(job.schedule.as_ref()?, &job.timezone, now)
}

fn pause_of(schedule: &Schedule, zone: &TimeZone, now: Timestamp) -> Option<SignedDuration> {
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
            let pause = pause_of(&Schedule::parse(schedule).unwrap(), &TimeZone::UTC, now);
            assert_eq!(pause, Some(SignedDuration::from_hours(hours)), "{schedule}");
        }
    }
}
