//! `alert list|ack|silence|silences|unsilence`, and what `config check` says of `[alerts]`.

use super::jobs::{configure, told, wait_told, without_database};
use crate::support::{patient, until};

#[test]
fn a_silence_is_kept_listed_and_ended_and_what_is_still_wrong_is_told_then() {
    let sandbox = without_database("");
    sandbox.caretaker(&["alert", "silence", "nightly", "--for", "2h", "--reason", "new disk"]).succeeds();
    sandbox.caretaker(&["alert", "silences"]).succeeds().says("backup.nightly").says("new disk").says("1h 59m");
    let _daemon = sandbox.daemon();
    sandbox.caretaker(&["job", "run", "nightly"]).exits(1);
    until("the incident", patient(), || sandbox.state_lines("SELECT id FROM incidents;").len() == 1);
    sandbox.caretaker(&["alert", "list"]).succeeds().says("silenced: new disk");
    assert!(told(&sandbox, "ops").is_empty());
    sandbox.caretaker(&["alert", "unsilence", "backup.nightly"]).succeeds().says("silent no longer");
    wait_told(&sandbox, "ops", &["opened critical backup.nightly"]);
    sandbox.caretaker(&["alert", "silences"]).succeeds().says("nothing is silenced");
}

#[test]
fn what_is_listed_is_told_to_programs_too() {
    let sandbox = without_database("");
    let daemon = sandbox.daemon();
    sandbox.caretaker(&["job", "run", "nightly"]).exits(1);
    wait_told(&sandbox, "ops", &["opened critical backup.nightly"]);
    assert!(daemon.terminate().success());
    let listed = sandbox.caretaker(&["--format", "json", "alert", "list", "--all"]).succeeds().json();
    let incident = &listed["incidents"][0];
    assert_eq!((&incident["status"], &incident["subject"]), (&"critical".into(), &"backup.nightly".into()));
    let advice = incident["last"]["summary"].as_str().unwrap();
    assert!(advice.starts_with("failed: "), "{advice}");
    assert_eq!(listed["outbox"], serde_json::json!([]));
    let sent = &listed["notifications"][0];
    assert_eq!((&sent["state"], &sent["attempts"]), (&"delivered".into(), &1.into()));
    let acked = sandbox.caretaker(&["--format", "json", "alert", "ack", incident["id"].as_str().unwrap()]);
    assert!(acked.succeeds().json()["acked_at"].is_string());
    let status = sandbox.caretaker(&["--format", "json", "status"]).succeeds().json();
    assert!(status["incidents"][0]["acked_by"].is_string());
    assert_eq!(status["outbox"], serde_json::json!([]));
}

#[test]
fn names_that_lead_nowhere_are_refused_with_what_was_meant() {
    let sandbox = without_database("");
    let silence = |what: &str| sandbox.caretaker(&["alert", "silence", what, "--for", "2h", "--reason", "x"]);
    silence("nihtly").exits(2).complains("is no check, no job and no database");
    silence("connetions").exits(2).complains("did you mean `connections`?");
    silence("notes/lock").exits(2).complains("did you mean `locks`?");
    silence("notes/locks").succeeds();
    sandbox.caretaker(&["alert", "silence", "notes", "--for", "never", "--reason", "x"]).exits(2);
    sandbox.caretaker(&["alert", "ack", "0000"]).exits(2).complains("no open incident");
    sandbox.caretaker(&["alert", "unsilence", "0000"]).exits(2).complains("no silence");
}

#[test]
fn mistakes_in_the_configuration_are_told_with_their_place() {
    let sandbox = without_database("");
    for (lines, said) in [
        ("escalate_to = ['opps']\nescalate_after = '1h'", "unknown channel `opps`; did you mean `ops`?"),
        ("quiet_hours = '22-7'", "these are no hours of the day"),
        ("escalate_after = '1h'", "`escalate_after` needs `escalate_to` beside it"),
        ("[[alerts.routes]]\nseverity = 'bad'\nchannels = ['ops']", "unknown value `bad`"),
        ("[[alerts.routes]]\nseverity = 'critical'", "needs `channels`"),
        ("[[alerts.routes]]\ncheck = 'lokcs'\nchannels = ['ops']", "unknown check `lokcs`; did you mean `locks`?"),
        ("remind_afte = '1h'", "did you mean `remind_after`?"),
    ] {
        configure(&sandbox, lines);
        sandbox.caretaker(&["config", "check"]).exits(2).complains(said);
    }
    configure(&sandbox, "[[alerts.routes]]\nseverity = 'critical'\nchannels = ['ops']");
    let checked = sandbox.caretaker(&["config", "check"]).succeeds();
    let all = format!("{}{}", checked.stdout, checked.stderr);
    assert!(all.contains("no route takes"), "{all}");
}
