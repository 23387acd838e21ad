//! When jobs run: missed slots, restarts, changed schedules, and never two at once.

use std::time::Duration;

use crate::support::{Night, Postgres, Sandbox, Tools, patient, until};

#[test]
fn all_that_was_missed_is_caught_up_by_one_run() {
    let night = Night::new("catch_up = 'once'");
    let daemon = night.daemon();
    night.wait_runs(&["succeeded"]);
    daemon.terminate();

    night.clock.set("2026-03-05T12:00:00Z");
    let daemon = night.daemon();
    night.wait_runs(&["succeeded", "succeeded"]);
    daemon.terminate();
    assert_eq!(night.slots(), ["03-02 02:00 on_time 0 done", "03-05 02:00 catch_up 2 done"]);
    assert_eq!(night.sandbox.backups("notes").len(), 2);
}

#[test]
fn with_skip_nothing_that_was_missed_is_caught_up() {
    let night = Night::new("catch_up = 'skip'");
    night.daemon().terminate();

    night.clock.set("2026-03-05T01:59:00Z");
    // What is due is decided before the daemon says that it is ready.
    let daemon = night.daemon();
    assert_eq!(night.slots(), ["03-04 02:00 skipped 3 skipped"]);
    night.clock.set("2026-03-05T01:59:58Z");
    night.wait_runs(&["succeeded"]);
    daemon.terminate();
    assert_eq!(night.slots()[1], "03-05 02:00 on_time 0 done", "the next one is not skipped");
}

#[test]
fn a_restart_within_the_slots_minute_does_not_run_it_again() {
    let night = Night::new("");
    let daemon = night.daemon();
    night.wait_runs(&["succeeded"]);
    daemon.terminate();

    night.clock.set("2026-03-02T02:00:01Z");
    night.daemon().terminate();
    assert_eq!(night.slots(), ["03-02 02:00 on_time 0 done"]);
    assert_eq!(night.sandbox.runs(), ["succeeded"]);
}

#[test]
fn a_schedule_that_was_changed_is_not_caught_up() {
    let night = Night::new("");
    night.daemon().terminate();

    night.configure("", "0 * * * *", "");
    night.clock.set("2026-03-05T12:30:00Z");
    let daemon = night.daemon();
    assert_eq!(night.slots(), [""; 0]);
    night.clock.set("2026-03-05T12:59:58Z");
    night.wait_runs(&["succeeded"]);
    daemon.terminate();
    assert_eq!(night.slots(), ["03-05 13:00 on_time 0 done"]);
}

#[test]
fn the_list_of_jobs_shows_three_slots_in_the_jobs_zone_and_in_utc() {
    let night = Night::new("");
    night.configure("", "30 2 * * *", "timezone = 'Europe/Berlin'");
    night.clock.set("2026-03-27T12:00:00Z");
    let listed = night.caretaker(&["--format", "json", "job", "list"]).succeeds().json();
    let slots: Vec<_> =
        listed[0]["next"].as_array().unwrap().iter().map(|slot| (&slot["local"], &slot["utc"])).collect();
    assert_eq!(
        serde_json::to_value(slots).unwrap(),
        serde_json::json!([
            ["Sat 2026-03-28 02:30:00 CET", "2026-03-28T01:30:00Z"],
            // There is no 02:30 that night.
            ["Sun 2026-03-29 03:00:00 CEST", "2026-03-29T01:00:00Z"],
            ["Mon 2026-03-30 02:30:00 CEST", "2026-03-30T00:30:00Z"],
        ])
    );
    night.caretaker(&["job", "list"]).succeeds().says("Sun 2026-03-29 03:00:00 CEST").says("2026-03-29 01:00:00");
}

#[test]
fn no_more_runs_go_on_at_once_than_are_allowed() {
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    let tools = Tools::held(&sandbox);
    let another = "[backup.other]\ndatabase = 'notes'\nschedule = '0 2 * * *'\nstores = ['local']\n";
    let settings = format!("max_concurrent_runs = 1\n{}", tools.setting());
    let night = Night::of_postgres(sandbox, &database.url(), &settings, another);

    let daemon = night.daemon();
    tools.wait_begun();
    until("the other to wait", patient(), || {
        daemon.notifications().iter().any(|said| said.starts_with("STATUS=running backup.nightly, 1 waiting"))
    });
    assert_eq!(night.sandbox.runs(), ["running"]);
    tools.release();
    night.wait_runs(&["succeeded", "succeeded"]);
    let jobs = night.sandbox.state_lines("SELECT job FROM runs ORDER BY id;");
    assert_eq!(jobs, ["backup.nightly", "backup.other"]);
}

#[test]
fn a_second_process_is_told_who_is_at_work_and_takes_over_at_once_when_that_one_dies() {
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    let tools = Tools::held(&sandbox);
    let night = Night::of_postgres(sandbox, &database.url(), &tools.setting(), "");

    let daemon = night.daemon();
    tools.wait_begun();
    let run = night.sandbox.state_sql("SELECT id FROM runs;");
    night
        .caretaker(&["job", "run", "nightly"])
        .exits(4)
        .complains(&format!("process {} runs it since", daemon.pid().as_raw_nonzero()))
        .complains(&format!("caretaker job cancel {}", run.trim()));

    daemon.kill();
    tools.release();
    night.caretaker(&["job", "run", "nightly"]).succeeds();
    assert_eq!(night.sandbox.runs(), ["interrupted", "succeeded"]);
    assert_eq!(night.sandbox.backups("notes").len(), 1);
    // The slot that was cut off is run again, once.
    let daemon = night.daemon();
    night.wait_runs(&["interrupted", "succeeded", "succeeded"]);
    daemon.terminate();
    assert_eq!(night.slots(), ["03-02 02:00 on_time 0 done"]);
}

#[test]
fn a_slot_that_was_cut_off_is_given_up_under_skip() {
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    let tools = Tools::held(&sandbox);
    let night = Night::of_postgres(sandbox, &database.url(), &tools.setting(), "catch_up = 'skip'");
    let daemon = night.daemon();
    tools.wait_begun();
    daemon.kill();
    tools.release();

    let daemon = night.daemon();
    night.wait_runs(&["interrupted"]);
    daemon.terminate();
    assert_eq!(night.slots(), ["03-02 02:00 on_time 0 failed"]);
    until("what it left to be gone", Duration::from_secs(30), || {
        std::fs::read_dir(night.sandbox.store().join("notes")).map_or(0, Iterator::count) == 0
    });
}
