//! Heartbeats that go out: of jobs, and of the daemon.

use rstest::rstest;

use crate::support::{Hook, Sandbox, answer, nightly, patient, sqlite_url, until};

fn paths(hook: &Hook) -> Vec<String> {
    hook.heard().iter().map(|heard| heard.line.split(' ').nth(1).unwrap().to_owned()).collect()
}

/// A sandbox with a job every second that pings the hook.
fn beating(url: &str, database: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.sqlite("notes.db", 10);
    sandbox.secret("ping", &format!("{url}/job\n"));
    let more = "schedule = '* * * * * *'\nretries = 0\nretention = 'last 2'\nheartbeat_url_file = './ping'\n";
    sandbox.configure(&nightly("notes", &sqlite_url(&sandbox.path(database)), &["local"], more));
    sandbox
}

#[test]
fn a_scheduled_run_is_told_at_its_beginning_and_when_it_went_well() {
    let hook = Hook::open();
    let sandbox = beating(&hook.url, "notes.db");
    let _daemon = sandbox.daemon();
    until("pings of a run", patient(), || paths(&hook).len() >= 2);
    assert_eq!(paths(&hook)[..2], ["/job/start", "/job"]);
}

#[test]
fn a_run_that_failed_is_told_as_such() {
    let hook = Hook::open();
    let sandbox = beating(&hook.url, "missing.db");
    let _daemon = sandbox.daemon();
    until("pings of a run", patient(), || paths(&hook).len() >= 2);
    assert_eq!(paths(&hook)[..2], ["/job/start", "/job/fail"]);
}

#[rstest]
#[case::of_a_database_that_is_there("notes.db", "/job")]
#[case::whatever_it_found("missing.db", "/job")]
fn a_round_of_health_checks_is_told_at_its_beginning_and_its_end(#[case] database: &str, #[case] end: &str) {
    let hook = Hook::open();
    let sandbox = Sandbox::new();
    sandbox.sqlite("notes.db", 10);
    sandbox.secret("ping", &format!("{}/job\n", hook.url));
    sandbox.configure(&format!(
        "[databases.notes]\nurl = '{}'\n[health.notes]\ndatabase = 'notes'\nschedule = '* * * * * *'\n\
         deep_schedule = '@yearly'\nheartbeat_url_file = './ping'\n",
        sqlite_url(&sandbox.path(database))
    ));
    let _daemon = sandbox.daemon();
    until("pings of a round", patient(), || paths(&hook).len() >= 2);
    assert_eq!(paths(&hook)[..2], ["/job/start", end]);
}

#[test]
fn a_watch_that_is_down_fails_no_job_and_its_address_is_not_logged() {
    let sandbox = beating("http://127.0.0.1:1/t0ken", "notes.db");
    let daemon = sandbox.daemon();
    until("a warning", patient(), || daemon.log().contains("heartbeat not delivered"));
    until("a run that succeeded", patient(), || sandbox.runs().iter().any(|state| state == "succeeded"));
    assert!(!daemon.log().contains("t0ken"), "{}", daemon.log());
}

#[test]
fn the_daemon_pings_while_it_advances() {
    let hook = Hook::start(|_| answer("200 OK", "", ""));
    let sandbox = Sandbox::new();
    sandbox.secret("ping", &format!("{}/alive\n", hook.url));
    sandbox.configure("[heartbeat]\nurl_file = './ping'\nevery = '10s'\n");
    let daemon = sandbox.daemon();
    until("a ping", patient(), || paths(&hook) == ["/alive"]);
    drop(daemon);
    sandbox.configure("[heartbeat]\nurl_file = './ping'\nevery = '1s'\n");
    sandbox.caretaker(&["config", "check"]).exits(2).complains("too often");
}
