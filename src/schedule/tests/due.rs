use std::time::Duration;

use jiff::tz::TimeZone;
use rstest::rstest;

use super::super::{Due, DueInput, decide};
use super::{at, schedule};

fn nightly(ledger: &str, now: &str, catch_up: bool) -> Due {
    decide(&DueInput {
        schedule: &schedule("0 2 * * *"),
        zone: &TimeZone::UTC,
        ledger: at(ledger),
        now: at(now),
        catch_up,
        grace: Duration::from_secs(60),
    })
}

#[rstest]
#[case::before_the_slot("2026-11-19T02:00:00Z", "2026-11-20T01:59:59.9Z", "2026-11-20T02:00:00Z")]
#[case::after_its_run("2026-11-20T02:00:00Z", "2026-11-20T02:00:01Z", "2026-11-21T02:00:00Z")]
#[case::first_seen_after_the_slot("2026-11-20T02:00:01Z", "2026-11-20T09:00:00Z", "2026-11-21T02:00:00Z")]
fn nothing_is_due(#[case] ledger: &str, #[case] now: &str, #[case] next: &str) {
    for catch_up in [true, false] {
        assert_eq!(nightly(ledger, now, catch_up), Due::Nothing { next: Some(at(next)), ahead: None });
    }
}

#[test]
fn a_slot_within_grace_is_on_time() {
    let slot = at("2026-11-20T02:00:00Z");
    for now in ["2026-11-20T02:00:00Z", "2026-11-20T02:01:00Z"] {
        assert_eq!(nightly("2026-11-19T02:00:00Z", now, false), Due::OnTime { slot, missed: 0 });
        assert_eq!(nightly("2026-11-13T02:00:00Z", now, false), Due::OnTime { slot, missed: 6 });
    }
}

#[test]
fn missed_slots_become_one_run_or_none() {
    let slot = at("2026-11-20T02:00:00Z");
    let (ledger, now) = ("2026-11-17T02:00:00Z", "2026-11-20T09:00:00Z");
    assert_eq!(nightly(ledger, now, true), Due::CatchUp { slot, missed: 2 });
    assert_eq!(nightly(ledger, now, false), Due::Skip { slot, missed: 3 });
}

#[test]
fn a_clock_that_was_set_back_runs_nothing_again_and_says_how_far() {
    let due = nightly("2026-11-20T02:00:00Z", "2026-11-20T01:00:00Z", true);
    let ahead = Some(Duration::from_secs(3600));
    assert_eq!(due, Due::Nothing { next: Some(at("2026-11-21T02:00:00Z")), ahead });
}
