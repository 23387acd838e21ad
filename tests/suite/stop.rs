//! How runs end before their time: cancelled, too slow, stalled, failed; and how the daemon ends with runs in progress.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Daemon, Database, Night, Postgres, Sandbox, Tools, patient, run, until};

impl Night {
    /// With a database whose dump holds still until it is released.
    fn held(job: &str) -> (Self, Database, Tools) {
        let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
        database.sql("CREATE TABLE note (id int); INSERT INTO note SELECT generate_series(1, 50000)");
        let tools = Tools::held(&sandbox);
        (Self::of_postgres(sandbox, &database.url(), &tools.setting(), job), database, tools)
    }

    /// Nothing of a run that was ended is left: no session, no object, no staging.
    #[track_caller]
    fn leaves_nothing(&self, database: &Database) {
        let sessions = "SELECT count(*) FROM pg_stat_activity \
                        WHERE datname = current_database() AND application_name LIKE 'caretaker%'";
        until("the sessions on the server to be gone", patient(), || database.sql(sessions).trim() == "0");
        let left =
            |folder: &Path| run(Command::new("find").arg(folder).args(["-mindepth", "1"]), b"", patient()).stdout;
        assert_eq!(left(&self.sandbox.store().join("notes")), "");
        assert_eq!(left(&self.sandbox.state().join("staging")), "");
    }
}

/// A session that holds a table's lock for a minute, so that whoever dumps it waits. Ended when dropped.
struct Locker(Child);

impl Locker {
    fn lock(database: &Database, table: &str) -> Self {
        let script = format!("BEGIN; LOCK TABLE {table}; SELECT pg_sleep(60)");
        let mut psql = database.server().program("psql");
        psql.args(["-XAtq", "-d", &database.socket_url(), "-c", &script]).stdin(Stdio::null()).stdout(Stdio::null());
        let locker = Self(psql.spawn().unwrap());
        let held = format!("SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass AND granted");
        until("the table to be locked", patient(), || database.sql(&held).trim() != "0");
        locker
    }
}

impl Drop for Locker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn children(daemon: &Daemon) -> String {
    let pid = daemon.pid().as_raw_nonzero().to_string();
    run(Command::new("ps").args(["-o", "args=", "--ppid", &pid]), b"", patient()).stdout
}

#[test]
fn a_run_that_is_cancelled_ends_with_its_dump_and_its_session_on_the_server() {
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    database.sql("CREATE TABLE note (id int)");
    let night = Night::of_postgres(sandbox, &database.url(), "", "");
    let _locker = Locker::lock(&database, "note");
    let daemon = night.daemon();
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("pg_dump to wait for the lock", patient(), || database.sql(waiting).trim() == "1");
    assert!(children(&daemon).contains("pg_dump"));

    let id = night.sandbox.state_sql("SELECT id FROM runs;");
    night.caretaker(&["job", "cancel", id.trim()]).succeeds().says("is cancelled");
    assert_eq!(children(&daemon), "");
    night.leaves_nothing(&database);
    assert_eq!(night.slots(), ["03-02 02:00 on_time 0 failed"], "what a person has ended is not run again");
    night.caretaker(&["job", "cancel", id.trim()]).exits(2).complains("nothing is running");
}

#[test]
fn a_run_by_hand_can_be_cancelled_from_another_process() {
    let (night, database, tools) = Night::held("");
    let mut by_hand = night.sandbox.command();
    let by_hand = by_hand.args(["job", "run", "nightly"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    tools.wait_begun();
    let id = night.sandbox.state_sql("SELECT id FROM runs;");
    night.sandbox.caretaker(&["job", "cancel", &id.trim()[28..]]).succeeds();
    assert_eq!(by_hand.wait_with_output().unwrap().status.code(), Some(130));
    night.leaves_nothing(&database);
}

#[test]
fn a_run_that_takes_longer_than_its_timeout_fails_and_is_not_tried_again() {
    let (night, database, _tools) = Night::held("timeout = '2s'");
    night.sandbox.caretaker(&["job", "run", "nightly", "--retries", "3"]).exits(1).complains("its timeout of 2s");
    assert_eq!(night.sandbox.runs(), ["failed"]);
    night.leaves_nothing(&database);
}

#[test]
fn a_run_that_makes_no_progress_for_its_stall_timeout_fails() {
    let (night, database, _tools) = Night::held("stall_timeout = '3s'");
    night.sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("no progress for 3s");
    night.leaves_nothing(&database);
}

/// A pg_dump that fails as if the network did, so many times, and then works.
fn flaky(sandbox: &Sandbox, times: u32) -> Tools {
    let refused = r#"pg_dump: error: connection to server at "db" failed: Connection refused"#;
    Tools::with_dump(
        sandbox,
        &format!(
            "echo >>\"$here/calls\"\n\
             if [ $(wc -l <\"$here/calls\") -le {times} ]; then echo '{refused}' >&2; exit 1; fi\n\
             exec \"$real\" \"$@\""
        ),
    )
}

#[test]
fn what_may_be_cured_by_trying_again_is_tried_again_after_a_pause() {
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    let tools = flaky(&sandbox, 1);
    let night = Night::of_postgres(sandbox, &database.url(), &tools.setting(), "");
    let start = Instant::now();
    night.sandbox.caretaker(&["job", "run", "nightly", "--retries", "2"]).succeeds();
    assert!(start.elapsed() > Duration::from_secs(5));
    let attempts = night.sandbox.state_lines("SELECT attempt || ' ' || state FROM runs ORDER BY id;");
    assert_eq!(attempts, ["1 failed", "2 succeeded"]);
}

#[test]
fn attempts_that_the_daemons_end_cut_short_go_on_at_its_next_start() {
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    let tools = flaky(&sandbox, 2);
    let night = Night::of_postgres(sandbox, &database.url(), &tools.setting(), "");
    for states in [["failed"].as_slice(), &["failed", "failed"]] {
        let mut daemon = night.daemon();
        daemon.wait_for("retry_in_ms=");
        let start = Instant::now();
        daemon.terminate();
        assert!(start.elapsed() < Duration::from_secs(10), "it does not wait for the pause to end");
        assert_eq!(night.sandbox.runs(), states);
        assert_eq!(night.slots(), ["03-02 02:00 on_time 0 claimed"]);
    }
    let _daemon = night.daemon();
    night.wait_runs(&["failed", "failed", "succeeded"]);
    let attempts = night.sandbox.state_lines("SELECT attempt || ' ' || cause FROM runs ORDER BY id;");
    assert_eq!(attempts, ["1 on_time", "2 catch_up", "3 catch_up"]);
    assert_eq!(night.slots(), ["03-02 02:00 on_time 0 done"]);
}

#[test]
fn a_job_that_waits_to_be_tried_again_holds_neither_its_lease_nor_a_place() {
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    sandbox.sqlite("other.db", 10);
    let tools = flaky(&sandbox, 1);
    let other = format!(
        "\n[databases.other]\nurl = 'sqlite://{}'\n\n\
         [backup.other]\ndatabase = 'other'\nschedule = '0 2 * * *'\nstores = ['local']",
        sandbox.path("other.db").display()
    );
    let settings = format!("{}max_concurrent_runs = 1\n", tools.setting());
    let night = Night::of_postgres(sandbox, &database.url(), &settings, &other);
    let daemon = night.daemon();
    // By name `nightly` comes first, and fails.
    night.wait_runs(&["failed", "succeeded"]);
    assert!(daemon.log().contains("retry_in_ms="));
    night.caretaker(&["status"]).succeeds().says("tried again in");
    night.caretaker(&["job", "run", "nightly"]).succeeds();
}

#[test]
fn what_waits_to_be_tried_again_can_be_cancelled() {
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    let tools = flaky(&sandbox, 1);
    let night = Night::of_postgres(sandbox, &database.url(), &tools.setting(), "");
    let mut daemon = night.daemon();
    daemon.wait_for("retry_in_ms=");
    let id = night.sandbox.state_sql("SELECT id FROM runs;");
    night.caretaker(&["job", "cancel", id.trim()]).succeeds().says("is not tried again");
    assert_eq!(night.slots(), ["03-02 02:00 on_time 0 failed"]);
    daemon.terminate();
    let daemon = night.daemon();
    assert!(!daemon.log().contains("is run again"), "{}", daemon.log());
    assert_eq!(night.sandbox.runs(), ["failed"]);
}

#[test]
fn what_cannot_be_cured_by_trying_again_is_not_tried_again() {
    let night = Night::new("retries = 5");
    std::fs::remove_file(night.sandbox.path("notes.db")).unwrap();
    let daemon = night.daemon();
    night.wait_runs(&["failed"]);
    assert_eq!(night.slots(), ["03-02 02:00 on_time 0 failed"]);
    assert!(!daemon.log().contains("retry_in_ms="));
    night.sandbox.caretaker(&["job", "run", "nightly", "--retries", "5"]).exits(1);
    assert_eq!(night.sandbox.runs(), ["failed", "failed"]);
}

#[test]
fn a_daemon_asked_to_stop_lets_its_runs_finish() {
    let (night, _database, tools) = Night::held("");
    let mut daemon = night.daemon();
    tools.wait_begun();
    daemon.signal(Signal::TERM);
    daemon.wait_notified("STOPPING=1", 1);
    assert_eq!(night.sandbox.runs(), ["running"]);
    tools.release();
    assert!(daemon.wait_end(patient()).success());
    assert_eq!(night.sandbox.runs(), ["succeeded"]);
    assert_eq!(night.slots(), ["03-02 02:00 on_time 0 done"]);
}

#[test]
fn a_daemon_asked_twice_to_stop_cancels_its_runs_and_runs_them_again_at_its_next_start() {
    let (night, database, tools) = Night::held("");
    let mut daemon = night.daemon();
    tools.wait_begun();
    daemon.signal(Signal::TERM);
    daemon.wait_notified("STOPPING=1", 1);
    daemon.signal(Signal::TERM);
    assert!(daemon.wait_end(patient()).success());
    assert_eq!(night.sandbox.runs(), ["cancelled"]);
    night.leaves_nothing(&database);

    tools.release();
    let _daemon = night.daemon();
    night.wait_runs(&["cancelled", "succeeded"]);
}

#[test]
fn runs_that_outlast_the_drain_timeout_are_cancelled() {
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    let tools = Tools::held(&sandbox);
    let settings = format!("drain_timeout = '1s'\n{}", tools.setting());
    let night = Night::of_postgres(sandbox, &database.url(), &settings, "");
    let daemon = night.daemon();
    tools.wait_begun();
    assert!(daemon.terminate().success());
    assert_eq!(night.sandbox.runs(), ["cancelled"]);
    night.leaves_nothing(&database);
}
