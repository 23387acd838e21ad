//! Clocks that jump: forwards, backwards, and twice a year by law.

use std::time::Duration;

use crate::support::{Night, until};

/// Beside the nightly job a witness that is due every second: once it has run at an instant, the daemon has looked at
/// that instant and decided about every job.
const WITNESS: &str = "[backup.witness]\ndatabase = 'notes'\nschedule = '* * * * * *'\nstores = ['local']\n\
    fingerprint = 'none'\ncheck = 'none'\nretention = 'last 1'\n";

impl Night {
    fn with_witness(schedule: &str, zone: &str, start: &str) -> Self {
        let night = Self::new("");
        night.configure("", schedule, &format!("timezone = '{zone}'\n{WITNESS}"));
        night.clock.set(start);
        night
    }

    /// Sets the clock and waits until the daemon has looked at an instant soon after, and at one it had not seen before.
    #[track_caller]
    fn pass(&self, from: &str, to: &str) {
        let ms = |instant: &str| instant.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let newest = format!(
            "SELECT coalesce(max(slot_ms), 0) FROM slots WHERE job = 'backup.witness' AND slot_ms BETWEEN {} AND {};",
            ms(from),
            ms(to) + 60_000
        );
        let newest = || self.sandbox.state_sql(&newest).trim().parse::<i64>().unwrap();
        let known = newest();
        self.clock.set(from);
        until(&format!("the daemon to look at {to}"), Duration::from_secs(30), || newest() > known.max(ms(to) - 1));
    }

    /// The nightly job's slots: `MM-DD HH:MM cause`.
    fn nights(&self) -> Vec<String> {
        self.sandbox.state_lines(
            "SELECT strftime('%m-%d %H:%M', slot_ms / 1000, 'unixepoch') || ' ' || cause FROM slots \
             WHERE job = 'backup.nightly' ORDER BY slot_ms;",
        )
    }

    /// How often the nightly job has begun to run.
    fn nightly_runs(&self) -> usize {
        self.sandbox.state_lines("SELECT id FROM runs WHERE job = 'backup.nightly';").len()
    }
}

#[test]
fn a_time_that_the_clock_jumps_over_in_spring_runs_once_when_it_has_jumped() {
    let night = Night::with_witness("30 2 * * *", "Europe/Berlin", "2026-03-29T01:59:57+01:00");
    let _daemon = night.daemon();
    night.pass("2026-03-29T01:59:57+01:00", "2026-03-29T03:00:01+02:00");
    assert_eq!(night.nights(), ["03-29 01:00 on_time"]);
    // Not again at what would have been 02:30, nor when the clock is set back and passes the change a second time.
    night.pass("2026-03-29T03:29:58+02:00", "2026-03-29T03:30:01+02:00");
    night.pass("2026-03-29T01:59:58+01:00", "2026-03-29T03:00:01+02:00");
    night.pass("2026-03-30T02:29:58+02:00", "2026-03-30T02:30:01+02:00");
    assert_eq!(night.nights(), ["03-29 01:00 on_time", "03-30 00:30 on_time"]);
}

#[test]
fn a_time_that_comes_twice_in_autumn_runs_the_first_time() {
    let night = Night::with_witness("30 2 * * *", "Europe/Berlin", "2026-10-25T02:29:57+02:00");
    let _daemon = night.daemon();
    night.pass("2026-10-25T02:29:57+02:00", "2026-10-25T02:30:01+02:00");
    night.pass("2026-10-25T02:29:58+01:00", "2026-10-25T02:30:01+01:00");
    assert_eq!(night.nights(), ["10-25 00:30 on_time"]);
    until("its run", Duration::from_secs(30), || night.nightly_runs() == 1);
}

#[test]
fn a_clock_set_back_stops_nothing_and_repeats_nothing() {
    let night = Night::with_witness("0 2 * * *", "UTC", "2026-03-02T01:59:57Z");
    let daemon = night.daemon();
    night.pass("2026-03-02T01:59:57Z", "2026-03-02T02:00:01Z");
    // Half a day back: nothing may wait for the clock to have caught up.
    night.pass("2026-03-01T14:00:00Z", "2026-03-01T14:00:03Z");
    night.pass("2026-03-02T01:59:58Z", "2026-03-02T02:00:05Z");
    assert_eq!(night.nights(), ["03-02 02:00 on_time"]);
    assert_eq!(night.nightly_runs(), 1);
    assert!(daemon.log().contains("the clock went back"));
}

#[test]
fn a_clock_set_forward_by_days_catches_up_once() {
    let night = Night::with_witness("0 2 * * *", "UTC", "2026-03-01T12:00:00Z");
    let _daemon = night.daemon();
    night.pass("2026-03-04T12:00:00Z", "2026-03-04T12:00:01Z");
    night.pass("2026-03-04T12:00:05Z", "2026-03-04T12:00:06Z");
    assert_eq!(night.nights(), ["03-04 02:00 catch_up"]);
}
