//! What `status` and `job history` tell, to people and to programs.

use serde_json::Value;

use crate::support::{Night, Postgres, Sandbox, Tools, eventually, patient};

fn json(night: &Night, arguments: &[&str]) -> Value {
    night.caretaker(&[&["--format", "json"], arguments].concat()).succeeds().json()
}

#[test]
fn before_anything_has_run_status_says_so() {
    let night = Night::new("");
    night.caretaker(&["status"]).succeeds().says("daemon not running").says("backup.nightly").says("never");
    let status = json(&night, &["status"]);
    assert_eq!(status["daemon"], Value::Null);
    assert_eq!(status["jobs"][0]["last_run"], Value::Null);
    assert_eq!(status["jobs"][0]["next_slot"], "2026-03-02T02:00:00Z");
    assert_eq!(status["databases"][0]["newest_backup"], Value::Null);
}

#[test]
fn status_tells_the_daemon_the_last_runs_the_next_slots_and_the_newest_backups() {
    let night = Night::new("");
    let daemon = night.daemon();
    night.wait_runs(&["succeeded"]);
    let status = json(&night, &["status"]);
    assert_eq!(status["daemon"]["pid"], daemon.pid().as_raw_nonzero().get());
    let job = &status["jobs"][0];
    assert_eq!((&job["job"], &job["database"]), (&Value::from("backup.nightly"), &Value::from("notes")));
    assert_eq!(job["last_run"]["state"], "succeeded");
    assert_eq!(job["last_run"]["slot"], "2026-03-02T02:00:00Z");
    assert_eq!(job["next_slot"], "2026-03-03T02:00:00Z");
    let id = status["databases"][0]["newest_backup"].as_str().unwrap().to_owned();
    assert_eq!(job["last_run"]["summary"]["backup"], id.as_str());
    assert_eq!(status["databases"][0]["last_verified_backup"], Value::Null);
    night.caretaker(&["backup", "verify", &id]).succeeds();
    assert_eq!(json(&night, &["status"])["databases"][0]["last_verified_backup"], id.as_str());
    let pid = format!("process {}", daemon.pid().as_raw_nonzero());
    night.caretaker(&["status"]).succeeds().says("running").says(&pid).says("succeeded").says(&id);
}

#[test]
fn the_progress_of_a_run_is_seen_from_another_process() {
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    database.sql("CREATE TABLE note AS SELECT generate_series(1, 50000) AS id");
    let tools = Tools::held(&sandbox);
    let night = Night::of_postgres(sandbox, &database.url(), &tools.setting(), "");
    let _daemon = night.daemon();
    tools.wait_begun();
    let run = eventually("progress to be published", patient(), || {
        let run = json(&night, &["status"])["jobs"][0]["last_run"].clone();
        (run["progress"]["bytes_in"].as_u64() > Some(0)).then_some(run)
    });
    assert_eq!((&run["state"], &run["progress"]["phase"]), (&Value::from("running"), &Value::from("dump")));
    night.caretaker(&["status"]).succeeds().says("running for").says("dump");
    let listed = json(&night, &["job", "history"]);
    assert_eq!((&listed[0]["id"], &listed[0]["finished_at"]), (&run["id"], &Value::Null));
    tools.release();
    night.wait_runs(&["succeeded"]);
}

#[test]
fn the_history_tells_what_each_run_has_come_to_the_newest_first() {
    let night = Night::new("");
    night.caretaker(&["job", "run", "nightly"]).succeeds();
    std::fs::remove_file(night.sandbox.path("notes.db")).unwrap();
    night.caretaker(&["job", "run", "nightly"]).exits(1);

    let history = json(&night, &["job", "history", "nightly"]);
    let column = |name: &str| history.as_array().unwrap().iter().map(|run| run[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("state"), ["failed", "succeeded"]);
    assert_eq!(column("cause"), ["manual", "manual"]);
    let error = history[0]["error"].as_str().unwrap();
    assert!(error.contains("notes.db"), "{error}");
    assert!(history[1]["summary"]["stored_bytes"].as_u64().unwrap() > 0);
    night.caretaker(&["job", "history"]).succeeds().says("failed").says("succeeded").says("manual").says("notes.db");
    let newest = json(&night, &["job", "history", "-n", "1"]);
    assert_eq!(newest.as_array().unwrap().len(), 1);
    assert_eq!(newest[0]["id"], history[0]["id"]);
}
