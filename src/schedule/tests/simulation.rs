//! Ten simulated years: whatever wake-ups, restarts and clock jumps do, no slot is lost or run twice.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::super::{Due, DueInput, Schedule, decide};
use super::{at, schedule, zone};

/// What happens before the next look at the ledger.
#[derive(Debug, Clone)]
enum Event {
    /// The daemon sleeps until the slot it was told, and is woken this many milliseconds late.
    WakeUp(i64),
    /// It is woken for nothing, this many seconds later.
    Spurious(i64),
    /// It is off for this many minutes.
    Off(i64),
    /// The clock is set by this many seconds.
    ClockSet(i64),
    /// It dies after deciding and before recording.
    Crash,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        60 => (0..120_000_i64).prop_map(Event::WakeUp),
        10 => (0..7200_i64).prop_map(Event::Spurious),
        10 => (0..60 * 24 * 40_i64).prop_map(Event::Off),
        10 => (-90_000..90_000_i64).prop_map(Event::ClockSet),
        10 => Just(Event::Crash),
    ];
    proptest::collection::vec(event, 50..400)
}

struct Ledger {
    last: Timestamp,
    run: HashSet<Timestamp>,
    missed: u64,
}

impl Ledger {
    /// Records a decision as the state store does; a slot that is there already must never come again.
    fn record(&mut self, due: Due, now: Timestamp) {
        let (slot, missed, run) = match due {
            Due::Nothing { .. } => return,
            Due::OnTime { slot, missed } | Due::CatchUp { slot, missed } => (slot, missed, true),
            Due::Skip { slot, missed } => (slot, missed, false),
        };
        assert!(slot <= now, "a run for the future: {slot} at {now}");
        assert!(slot > self.last, "{slot} after {}", self.last);
        assert!(!run || self.run.insert(slot), "{slot} run twice");
        self.missed += missed;
        self.last = slot;
    }
}

fn simulate(schedule: &Schedule, zone: &jiff::tz::TimeZone, catch_up: bool, events: &[Event]) {
    let anchor = at("2020-01-01T00:00:00Z");
    let end = at("2030-01-01T00:00:00Z");
    let mut ledger = Ledger { last: anchor, run: HashSet::new(), missed: 0 };
    let mut now = anchor;
    let mut plan = Due::Nothing { next: None, ahead: None };
    for event in events.iter().cycle().take(4000) {
        let step = match event {
            Event::WakeUp(late) => {
                if let Due::Nothing { next: Some(next), .. } = plan {
                    assert!(next > now && next > ledger.last);
                    now = next;
                }
                SignedDuration::from_millis(*late)
            }
            Event::Spurious(seconds) | Event::ClockSet(seconds) => SignedDuration::from_secs(*seconds),
            Event::Off(minutes) => SignedDuration::from_mins(*minutes),
            Event::Crash => SignedDuration::ZERO,
        };
        now += step;
        if now > end {
            break;
        }
        let grace = Duration::from_secs(60);
        plan = decide(&DueInput { schedule, zone, ledger: ledger.last, now, catch_up, grace });
        if !matches!(event, Event::Crash) {
            ledger.record(plan, now);
        }
    }
    let all: Vec<_> = schedule.occurrences(zone, anchor).take_while(|slot| *slot <= ledger.last).collect();
    assert!(ledger.run.iter().all(|slot| all.binary_search(slot).is_ok()), "a run for no slot");
    assert_eq!(all.len() as u64, ledger.run.len() as u64 + ledger.missed, "every slot is run or counted once");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_slot_is_lost_or_run_twice(
        text in prop_oneof!["[0-5]?[0-9] [0-3] \\* \\* \\*", Just("0 * * * *".to_owned()), Just("*/30 * * * *".to_owned()),
            Just("15 2,14 * * MON-FRI".to_owned()), Just("@weekly".to_owned()), Just("0 0 L * *".to_owned())],
        zone_name in prop_oneof![Just("Europe/Berlin"), Just("America/New_York"), Just("Australia/Lord_Howe"), Just("UTC")],
        catch_up: bool,
        events in events(),
    ) {
        simulate(&schedule(&text), &zone(zone_name), catch_up, &events);
    }
}
