//! Jobs that fail and recover.

use rstest::rstest;

use crate::support::{Daemon, Night, Sandbox, patient, sqlite_url, until};

/// What the channel `ops` was told: `opened critical backup.nightly`.
pub fn told(sandbox: &Sandbox, channel: &str) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(sandbox.path(channel)) else { return Vec::new() };
    let line = |line: &str| {
        let document: serde_json::Value = serde_json::from_str(line).unwrap();
        let message = &document["message"];
        let subject = message["incidents"][0]["subject"].as_str().unwrap_or("-");
        format!("{} {} {subject}", message["kind"].as_str().unwrap(), message["severity"].as_str().unwrap())
    };
    text.lines().map(line).collect()
}

/// A machine with a job `nightly` of a database that is not there, and a channel `ops` that writes into a file.
pub fn without_database(alerts: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    configure(&sandbox, alerts);
    sandbox
}

pub fn configure(sandbox: &Sandbox, alerts: &str) {
    sandbox.configure(&format!(
        "[databases.notes]\nurl = '{}'\n[channels.ops]\nkind = 'file'\npath = '{}'\n\
         [backup.nightly]\ndatabase = 'notes'\nstores = ['local']\nretention = 'last 3'\n\
         [alerts]\ngroup_wait = '1s'\ngroup_interval = '1s'\n{alerts}\n",
        sqlite_url(&sandbox.path("notes.db")),
        sandbox.path("ops").display()
    ));
}

#[track_caller]
pub fn wait_told(sandbox: &Sandbox, channel: &str, expected: &[&str]) {
    until(&format!("{channel} to be told {expected:?}"), patient(), || told(sandbox, channel).len() >= expected.len());
    assert_eq!(told(sandbox, channel), expected);
}

fn daemon(sandbox: &Sandbox) -> Daemon {
    sandbox.daemon()
}

#[test]
fn a_failed_job_is_told_once_and_its_recovery_once() {
    let sandbox = without_database("");
    let daemon = daemon(&sandbox);
    for _ in 0..2 {
        sandbox.caretaker(&["job", "run", "nightly"]).exits(1);
    }
    wait_told(&sandbox, "ops", &["opened critical backup.nightly"]);
    sandbox.caretaker(&["status"]).succeeds().says("CRITICAL").says("backup.nightly run");
    sandbox.sqlite("notes.db", 10);
    sandbox.caretaker(&["job", "run", "nightly"]).succeeds();
    wait_told(&sandbox, "ops", &["opened critical backup.nightly", "recovered critical backup.nightly"]);
    sandbox.caretaker(&["status"]).succeeds().says("no incidents");
    assert!(daemon.terminate().success());
}

#[test]
fn what_failed_while_no_daemon_ran_is_told_when_it_starts() {
    let sandbox = without_database("");
    sandbox.caretaker(&["job", "run", "nightly"]).exits(1);
    sandbox.caretaker(&["backup", "now", "notes"]).exits(1);
    let _daemon = daemon(&sandbox);
    wait_told(&sandbox, "ops", &["opened critical backup.nightly"]);
    assert_eq!(sandbox.state_lines("SELECT subject FROM incidents;"), ["backup.nightly"], "by hand belongs to no job");
}

#[test]
fn a_run_that_will_be_tried_again_has_not_failed_yet() {
    let night = Night::new("retries = 1\n[channels.ops]\nkind = 'file'\npath = './ops'");
    let gone = night.sandbox.path("store");
    std::fs::remove_dir(&gone).unwrap();
    std::fs::write(&gone, "in the way").unwrap();
    let _daemon = night.daemon();
    until("the first attempt", patient(), || !night.sandbox.runs().is_empty() && night.sandbox.runs()[0] != "running");
    let retry = night.sandbox.state_lines("SELECT retry_ms IS NOT NULL FROM runs;");
    let seen = night.sandbox.state_lines("SELECT status FROM checks WHERE source = 'job';");
    assert_eq!(seen.is_empty(), retry == ["1"], "{retry:?} {seen:?}");
}

#[test]
fn reminders_come_after_four_hours_by_the_clock_on_the_wall_and_an_acknowledgement_ends_them() {
    let night = Night::new("[channels.ops]\nkind = 'file'\npath = './ops'\n[alerts]\ngroup_wait = '1s'");
    std::fs::remove_file(night.sandbox.path("notes.db")).unwrap();
    let _daemon = night.daemon();
    wait_told(&night.sandbox, "ops", &["opened critical backup.nightly"]);
    night.clock.set("2026-03-02T06:30:00Z");
    wait_told(&night.sandbox, "ops", &["opened critical backup.nightly", "reminder critical backup.nightly"]);
    let id = night.sandbox.state_lines("SELECT id FROM incidents;").remove(0);
    night.caretaker(&["alert", "ack", &id[id.len() - 12..]]).succeeds().says("acknowledged");
    let all =
        ["opened critical backup.nightly", "reminder critical backup.nightly", "acknowledged critical backup.nightly"];
    wait_told(&night.sandbox, "ops", &all);
    let text = std::fs::read_to_string(night.sandbox.path("ops")).unwrap();
    assert!(text.lines().last().unwrap().contains("\"acknowledged_by\":\""), "it says who: {text}");
    night.clock.set("2026-03-02T23:30:00Z");
    // The daemon looks every second; a second incident shows that it has looked.
    night.sandbox.state_sql(
        "INSERT INTO observations (source, subject, name, status, observed_ms, observation) \
         SELECT source, subject, 'other', status, observed_ms, replace(observation, '\"run\"', '\"other\"') \
         FROM checks WHERE source = 'job';",
    );
    until("the other incident to be told", patient(), || told(&night.sandbox, "ops").len() > 3);
    let all = told(&night.sandbox, "ops");
    assert_eq!(all[3..], ["opened critical backup.nightly"], "and not of the first again");
}

#[test]
fn a_run_that_was_killed_is_an_incident_until_its_slot_has_run() {
    let night = Night::new("[channels.ops]\nkind = 'file'\npath = './ops'\n[alerts]\ngroup_wait = '1s'");
    let daemon = night.daemon();
    night.wait_runs(&["succeeded"]);
    daemon.kill();
    night.sandbox.state_sql(
        "INSERT INTO runs (id, job, cause, attempt, state, started_ms, host, pid) \
         VALUES ('00000000-dead', 'backup.nightly', 'manual', 1, 'running', 1, 'here', 1);",
    );
    let _daemon = night.daemon();
    wait_told(&night.sandbox, "ops", &["opened warning backup.nightly"]);
}

#[rstest]
#[case::after_five("", 5, "5 times")]
#[case::at_once_where_nothing_is_caught_up("catch_up = 'skip'\n", 1, "once")]
fn a_slot_that_is_given_up_is_critical_until_the_next_success(
    #[case] job: &str,
    #[case] kills: u32,
    #[case] often: &str,
) {
    let sandbox = without_database("");
    sandbox.sqlite("notes.db", 10);
    let text = std::fs::read_to_string(sandbox.config()).unwrap();
    sandbox.configure_exactly(&text.replace("[alerts]", &format!("{job}[alerts]")));
    sandbox.caretaker(&["status"]).succeeds();
    // What daemons leave that were killed in the middle of a run.
    sandbox.state_sql(&format!(
        "INSERT INTO slots (job, slot_ms, cause, state, claimed_ms) VALUES ('backup.nightly', 1, 'on_time', 'claimed', 1); \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {kills}) \
         INSERT INTO runs (id, job, slot_ms, cause, attempt, state, started_ms, host, pid) SELECT 'dead-' || i, \
             'backup.nightly', 1, 'on_time', i, CASE i WHEN {kills} THEN 'running' ELSE 'interrupted' END, i, 'here', 1 FROM n;"
    ));
    let _daemon = daemon(&sandbox);
    wait_told(&sandbox, "ops", &["opened critical backup.nightly"]);
    sandbox
        .caretaker(&["alert", "list"])
        .succeeds()
        .says(&format!("given up: its process was gone before the end {often}"));
    assert_eq!(sandbox.state_lines("SELECT DISTINCT state FROM runs;"), ["interrupted"]);
    assert_eq!(sandbox.state_lines("SELECT state FROM slots;"), ["failed"]);
    sandbox.caretaker(&["job", "run", "nightly"]).succeeds();
    wait_told(&sandbox, "ops", &["opened critical backup.nightly", "recovered critical backup.nightly"]);
}

#[test]
fn a_partial_run_is_a_warning_until_every_store_has_its_copy() {
    let sandbox = without_database("");
    sandbox.sqlite("notes.db", 10);
    let text = std::fs::read_to_string(sandbox.config()).unwrap();
    let second = format!("[stores.second]\nkind = 'local'\npath = '{}'\n", sandbox.path("second").display());
    sandbox.configure_exactly(&format!("{}{second}", text.replace("['local']", "['local', 'second']")));
    std::fs::write(sandbox.path("second"), "in the way").unwrap();
    let _daemon = daemon(&sandbox);
    sandbox.caretaker(&["job", "run", "nightly"]).exits(1);
    wait_told(&sandbox, "ops", &["opened warning backup.nightly"]);
    std::fs::remove_file(sandbox.path("second")).unwrap();
    std::fs::create_dir(sandbox.path("second")).unwrap();
    sandbox.caretaker(&["job", "run", "nightly"]).succeeds();
    wait_told(&sandbox, "ops", &["opened warning backup.nightly", "recovered warning backup.nightly"]);
}

#[test]
fn a_scheduled_run_that_cannot_begin_is_an_incident() {
    let night = Night::new("[channels.ops]\nkind = 'file'\npath = './ops'\n[alerts]\ngroup_wait = '1s'");
    std::fs::write(night.sandbox.state().join("staging"), "in the way").unwrap();
    let _daemon = night.daemon();
    wait_told(&night.sandbox, "ops", &["opened critical backup.nightly"]);
    night.caretaker(&["alert", "list"]).succeeds().says("could not begin: cannot make the staging folder");
}

#[test]
fn a_job_that_is_overdue_is_an_incident_until_it_has_succeeded() {
    let sandbox = Sandbox::new();
    let (database, away) = (sandbox.sqlite("notes.db", 10), sandbox.path("away.db"));
    sandbox.configure(&format!(
        "[databases.notes]\nurl = '{}'\n[channels.ops]\nkind = 'file'\npath = './ops'\n[alerts]\ngroup_wait = '1s'\ngroup_interval = '1s'\n\
         [backup.nightly]\ndatabase = 'notes'\nstores = ['local']\nretention = 'last 2'\nschedule = '* * * * * *'\n\
         retries = 0\n[health.notes]\ndatabase = 'notes'\nschedule = '* * * * * *'\n\
         checks.job_overdue = {{ warning = '3s', critical = '1h', enter_after = 1, leave_after = 1 }}\n",
        sqlite_url(&database)
    ));
    let _daemon = daemon(&sandbox);
    until("a backup", patient(), || sandbox.runs().contains(&"succeeded".to_owned()));
    std::fs::rename(&database, &away).unwrap();
    let told = |kind: &str| {
        let text = std::fs::read_to_string(sandbox.path("ops")).unwrap_or_default();
        text.lines().any(|line| line.contains("\"job_overdue\"") && line.contains(&format!("\"kind\":\"{kind}\"")))
    };
    until("it to be told", patient(), || told("opened"));
    std::fs::rename(&away, &database).unwrap();
    until("its end to be told", patient(), || told("recovered"));
}
