//! A little delay for runs that would otherwise all begin at the same moment.

use std::time::Duration;

use jiff::Timestamp;

/// How long the run of a job's slot waits when many jobs catch up at once: from zero to just below `max`, evenly spread
/// over jobs, and always the same for the same job and slot, so that a restart does not draw again.
pub fn jitter(job: &str, slot: Timestamp, max: Duration) -> Duration {
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(job.as_bytes(), slot.as_second().cast_unsigned());
    let nanos = (max.as_nanos().min(u128::from(u64::MAX)) * u128::from(hash)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
