//! A state store that cannot be used: said clearly, with what to do, and never made worse.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::support::{Night, Sandbox, run, stock};

/// A process that holds the state store in a transaction.
struct Holder(Child, #[allow(dead_code, reason = "closing it ends the process")] ChildStdin);

impl Holder {
    fn hold(sandbox: &Sandbox) -> Self {
        let mut sqlite = Command::new("sqlite3");
        sqlite.arg(sandbox.state().join("state.db")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = sqlite.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, ".timeout 20000\nBEGIN EXCLUSIVE; SELECT 'held';").unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line).unwrap();
        assert_eq!(line, "held\n");
        Self(child, stdin)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A machine whose state store is there, all of it in one file.
fn used() -> Night {
    let night = Night::new("");
    night.sandbox.caretaker(&["status"]).succeeds();
    night.sandbox.state_sql("PRAGMA wal_checkpoint(TRUNCATE);");
    night
}

#[test]
fn a_state_store_that_another_process_holds_is_waited_for_and_then_named() {
    let night = used();
    let holder = Holder::hold(&night.sandbox);
    night
        .sandbox
        .caretaker(&["job", "run", "nightly"])
        .exits(1)
        .complains("state.db is locked by another process")
        .complains("fuser");
    drop(holder);
    night.sandbox.caretaker(&["job", "run", "nightly"]).succeeds();
}

#[test]
fn a_daemon_outlives_a_state_store_that_is_held_for_a_while_and_loses_no_slot() {
    let night = used();
    let mut daemon = night.daemon();
    let holder = Holder::hold(&night.sandbox);
    daemon.wait_for("the schedule cannot be advanced");
    drop(holder);
    night.wait_runs(&["succeeded"]);
    assert_eq!(night.slots(), ["03-02 02:00 on_time 0 done"]);
    assert!(daemon.terminate().success());
}

#[test]
fn a_state_store_that_is_no_database_is_named_and_left_as_it_is() {
    let night = used();
    let file = night.sandbox.state().join("state.db");
    fs::write(&file, "this is not a database, it only sounds like one\n".repeat(1000)).unwrap();
    let before = stock::sha256(&file);
    for command in [["daemon"].as_slice(), &["job", "run", "nightly"], &["status"]] {
        night
            .sandbox
            .caretaker(command)
            .exits(1)
            .complains("state.db is damaged")
            .complains("move ")
            .complains("aside");
    }
    assert_eq!(stock::sha256(&file), before);
}

#[test]
fn a_daemon_does_not_start_on_a_truncated_state_store() {
    let night = used();
    night.sandbox.caretaker(&["job", "run", "nightly"]).succeeds();
    night.sandbox.state_sql("PRAGMA wal_checkpoint(TRUNCATE);");
    let file = night.sandbox.state().join("state.db");
    let length = fs::metadata(&file).unwrap().len();
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length / 2 + 100).unwrap();
    night.sandbox.caretaker(&["daemon"]).exits(1).complains("state.db is damaged").complains("aside");
}

#[test]
fn what_the_hint_says_about_a_damaged_state_store_works() {
    let night = used();
    fs::write(night.sandbox.state().join("state.db"), "x".repeat(5000)).unwrap();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = fs::rename(night.sandbox.state().join(name), night.sandbox.path(name));
    }
    night.sandbox.caretaker(&["job", "run", "nightly"]).succeeds();
}

#[test]
fn a_state_store_of_a_newer_version_is_refused() {
    let night = used();
    night.sandbox.state_sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (99, 'from the future', true, x'00', 0);",
    );
    night
        .sandbox
        .caretaker(&["daemon"])
        .exits(1)
        .complains("was written by a newer Caretaker (schema 99")
        .complains("use the version that wrote it");
}

#[test]
fn a_state_directory_that_cannot_be_written_is_named() {
    assert!(rustix::process::geteuid().is_root(), "this takes root: run `make test` as root");
    let night = Night::new("");
    fs::set_permissions(night.sandbox.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("setpriv");
    night.sandbox.clean(&mut command);
    command.args(["--reuid=daemon", "--regid=daemon", "--clear-groups", env!("CARGO_BIN_EXE_caretaker"), "--config"]);
    let outcome = run(command.arg(night.sandbox.config()).arg("status"), b"", Duration::from_secs(60));
    outcome.exits(1).complains("state").complains("it must belong to the user Caretaker runs as");
}

#[test]
fn a_state_directory_that_is_missing_is_made_for_its_owner_alone() {
    let night = Night::new("");
    fs::remove_dir(night.sandbox.state()).unwrap();
    night.sandbox.caretaker(&["status"]).succeeds();
    let mode = |path: &str| fs::metadata(night.sandbox.state().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    assert_eq!(mode("state.db"), 0o600);
}
