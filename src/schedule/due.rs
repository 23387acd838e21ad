//! What is due: the ledger compared with `now`. A late, doubled or missing wake-up, a restart, a suspended machine and a
//! clock that was set are all this one comparison.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Schedule;

/// What [`decide`] looks at.
#[derive(Debug, Clone, Copy)]
pub struct DueInput<'a> {
    /// The job's schedule.
    pub schedule: &'a Schedule,
    /// The job's zone.
    pub zone: &'a TimeZone,
    /// The later of two: the newest slot the ledger knows for this job, whatever became of it (claimed, skipped,
    /// coalesced), and the instant at which the job was first seen with this very schedule and zone. Nothing up to then
    /// is ever due, so that a new job, or one whose schedule was changed from daily to hourly, makes up for nothing.
    pub ledger: Timestamp,
    /// The clock.
    pub now: Timestamp,
    /// Whether missed slots are made up for, by one run for all of them.
    pub catch_up: bool,
    /// How late a slot may be and still count as on time.
    pub grace: Duration,
}

/// What is to be done for a job now. Whoever acts on it records `slot` in the ledger, in the transaction that claims or
/// skips it; the older slots counted in `missed` are then done with too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing {
        /// When to look again; `None`: never (the calendar ends in the year 5000).
        next: Option<Timestamp>,
        /// How far the ledger is ahead of the clock, if it is: the clock was set back, or was wrong before. Nothing runs
        /// until it has caught up, so anything beyond minutes is worth telling the operator.
        ahead: Option<Duration>,
    },
    /// The slot's time has just come.
    OnTime {
        /// The slot.
        slot: Timestamp,
        /// Older slots that nobody ran, coalesced into this one.
        missed: u64,
    },
    /// The slot was missed and is to be run late.
    CatchUp {
        /// The newest slot missed.
        slot: Timestamp,
        /// Older slots that nobody ran, coalesced into this one.
        missed: u64,
    },
    /// Slots were missed and are to be left so.
    Skip {
        /// The newest slot missed.
        slot: Timestamp,
        /// All slots missed, this one included.
        missed: u64,
    },
}

/// Decides what is to be done for a job now. Of several slots that have passed, the newest is the slot, and the older
/// ones are counted.
pub fn decide(input: &DueInput<'_>) -> Due {
    let DueInput { schedule, zone, ledger, now, .. } = *input;
    let Some(slot) = schedule.previous_or_at(zone, now, ledger) else {
        let ahead = Duration::try_from(ledger.duration_since(now)).ok().filter(|ahead| !ahead.is_zero());
        return Due::Nothing { next: schedule.next(zone, ledger.max(now)), ahead };
    };
    let missed = schedule.count(zone, ledger, slot).saturating_sub(1);
    let late = now.duration_since(slot).unsigned_abs();
    if late <= input.grace {
        Due::OnTime { slot, missed }
    } else if input.catch_up {
        Due::CatchUp { slot, missed }
    } else {
        Due::Skip { slot, missed: missed + 1 }
    }
}
