//! recovery_conflicts: a standby whose readers are in the way of replay.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use caretaker::state::Status;
use jiff::SignedDuration;

use super::watch::{Says as _, Session, Watch};
use crate::support::{OwnPostgres, Postgres, patient, run, until};

/// A standby of a server, that waits for nobody; stops when dropped.
struct Standby {
    server: Postgres,
    data: PathBuf,
    _folder: tempfile::TempDir,
}

const START: &str = r#"set -e
as=; [ "$(id -u)" = 0 ] && { chown postgres "$1"; as='setpriv --reuid=postgres --regid=postgres --clear-groups'; }
cd "$1"
$as "$2/pg_basebackup" -D data -R -c fast -d "$3"
printf "port = %s\nunix_socket_directories = '%s'\nmax_standby_streaming_delay = 0\nhot_standby_feedback = off\n" "$4" "$1" >>data/postgresql.auto.conf
$as "$2/pg_ctl" -D data -w -l log start >/dev/null"#;

impl Standby {
    fn of(primary: &OwnPostgres) -> Self {
        let folder = tempfile::Builder::new().prefix("standby.").tempdir().unwrap();
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("bash");
        command.args(["-c", START, "start"]).arg(folder.path()).arg(&primary.bindir);
        command.arg(primary.socket_url("postgres").replace("/postgres?", "/?")).arg(port.to_string());
        run(&mut command, b"", Duration::from_secs(60)).succeeds();
        let server = Postgres { socket: folder.path().to_owned(), port, ..Postgres::clone(primary) };
        Self { server, data: folder.path().join("data"), _folder: folder }
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        let pid = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        if let Some(pid) = pid.lines().next().and_then(|pid| pid.parse().ok()).and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
            for _ in 0..250 {
                if rustix::process::test_kill_process(pid).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

#[test]
fn queries_that_a_standby_cancels_for_its_replay_are_counted_since_the_last_look() {
    let primary = OwnPostgres::start();
    Watch::new("recovery_conflicts", &primary.url("postgres"), "").not_applicable().says("not a standby");
    let standby = Standby::of(&primary);
    let mut watch = Watch::new("recovery_conflicts", &standby.server.url("postgres"), "warning = 1\ncritical = 2");
    // Each reads a table that the primary then drops.
    let conflict = |count: usize| {
        let names: Vec<String> = (0..count).map(|i| format!("doomed_{i}")).collect();
        for name in &names {
            primary.sql("postgres", &format!("CREATE TABLE {name} (i int)"));
        }
        let there = "SELECT count(*) FROM pg_class WHERE relname LIKE 'doomed_%'";
        until("the tables to be on the standby", patient(), || {
            standby.server.sql("postgres", there).trim() == count.to_string()
        });
        let url = standby.server.socket_url("postgres");
        let sessions: Vec<Session> = names
            .iter()
            .map(|name| Session::open(&url, &standby.server.bindir, &format!("BEGIN; SELECT count(*) FROM {name}")))
            .collect();
        for name in &names {
            primary.sql("postgres", &format!("DROP TABLE {name}"));
        }
        until("the drops to be replayed", patient(), || standby.server.sql("postgres", there).trim() == "0");
        drop(sessions);
    };
    watch.not_applicable().says("first look");
    watch.pass(SignedDuration::from_mins(5));
    watch.ok();
    conflict(1);
    watch.comes_to(Status::Warning).says("lock: 1").says("max_standby_streaming_delay");
    watch.pass(SignedDuration::from_mins(5));
    watch.comes_to(Status::Ok);
    conflict(2);
    watch.comes_to(Status::Critical);
    watch.pass(SignedDuration::from_mins(5));
    watch.comes_to(Status::Ok);
}
