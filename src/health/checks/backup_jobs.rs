//! The backup jobs of a database, and how often they run.

use jiff::{SignedDuration, Timestamp};

use crate::config::{BackupJob, Config, DatabaseName, JobKind};

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
    let schedule = job.schedule.as_ref()?;
    let (mut longest, mut last) = (None, None::<Timestamp>);
    for (index, slot) in schedule.occurrences(&job.timezone, now).enumerate() {
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
