//! The daemon's life: one per state directory, reload, whose files it writes.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::support::{Daemon, Night, Postgres, Sandbox, Tools, nightly, patient, run, until};

fn configure(sandbox: &Sandbox, job: &str, more: &str) {
    sandbox.configure(&format!(
        "[databases.notes]\nurl = 'sqlite://{}'\n\n\
         [backup.{job}]\ndatabase = 'notes'\nschedule = '0 2 * * *'\nstores = ['local']\nretention = 'last 3'\n{more}\n",
        sandbox.path("notes.db").display()
    ));
}

/// A daemon with a job `nightly` whose configuration can be changed.
fn reloadable() -> (Sandbox, Daemon) {
    let sandbox = Sandbox::new();
    sandbox.sqlite("notes.db", 10);
    configure(&sandbox, "nightly", "");
    let daemon = sandbox.daemon();
    (sandbox, daemon)
}

#[test]
fn a_second_daemon_on_the_same_state_directory_refuses_and_names_the_first() {
    let (sandbox, daemon) = reloadable();
    let first = format!("process {}", daemon.pid().as_raw_nonzero());
    sandbox.caretaker(&["daemon"]).exits(4).complains("another daemon").complains(&first);
    assert!(daemon.terminate().success(), "the first is not disturbed");
}

#[test]
fn the_state_directory_is_free_at_once_when_its_daemon_was_killed() {
    let (sandbox, daemon) = reloadable();
    daemon.kill();
    assert!(sandbox.daemon().terminate().success());
}

#[test]
fn a_good_configuration_is_taken_on_reload() {
    let (sandbox, mut daemon) = reloadable();
    configure(&sandbox, "evening", "");
    sandbox.caretaker(&["reload"]).succeeds().says("reloaded: 1 job, 1 database, 1 store");
    daemon.wait_notified("READY=1", 2);
    let said = daemon.notifications();
    assert!(said.contains(&"RELOADING=1".to_owned()) && said.iter().any(|line| line.starts_with("MONOTONIC_USEC=")));
    until("the new status", patient(), || {
        daemon.notifications().iter().any(|line| line.starts_with("STATUS=idle, next backup.evening at "))
    });
}

#[test]
fn a_wrong_configuration_is_refused_on_reload_and_the_old_one_stays() {
    let (sandbox, mut daemon) = reloadable();
    configure(&sandbox, "nightly", "shedule = '0 3 * * *'");
    sandbox.caretaker(&["reload"]).exits(2).complains("unknown key `shedule`");
    daemon.signal(Signal::HUP);
    daemon.wait_for("configuration not reloaded; the old one stays in force");
    daemon.wait_notified("READY=1", 2);
    configure(&sandbox, "nightly", "");
    sandbox.caretaker(&["reload"]).succeeds();
}

#[test]
fn a_hangup_reloads_too() {
    let (sandbox, mut daemon) = reloadable();
    configure(&sandbox, "evening", "");
    daemon.signal(Signal::HUP);
    daemon.wait_for("configuration reloaded");
    daemon.wait_notified("READY=1", 2);
}

#[test]
fn the_state_directory_cannot_change_while_the_daemon_runs() {
    let (sandbox, mut daemon) = reloadable();
    let text = fs::read_to_string(sandbox.config()).unwrap();
    sandbox.configure_exactly(&text.replace("/state'", "/elsewhere'"));
    daemon.signal(Signal::HUP);
    daemon.wait_for("daemon.state_dir cannot change while the daemon runs");
    // A command goes by the new configuration, where no daemon runs.
    sandbox.caretaker(&["reload"]).exits(1).complains("no daemon runs on this state directory");
}

#[test]
fn without_a_daemon_reload_fails() {
    let (sandbox, daemon) = reloadable();
    daemon.terminate();
    sandbox.caretaker(&["reload"]).exits(1).complains("no daemon runs");
}

#[test]
fn a_job_that_was_taken_out_of_the_configuration_is_not_run() {
    let night = Night::new("");
    let _daemon = night.daemon();
    let text = fs::read_to_string(night.sandbox.config()).unwrap();
    let later = text.replace("backup.nightly", "backup.later").replace("0 2 * * *", "2 0 2 * * *");
    night.sandbox.configure_exactly(&later);
    night.caretaker(&["reload"]).succeeds();
    night.wait_runs(&["succeeded"]);
    assert_eq!(night.sandbox.state_lines("SELECT job FROM runs;"), ["backup.later"]);
}

/// Whose everything below a folder is: user and path.
fn owners(folder: &Path) -> Vec<(u32, String)> {
    let found = run(Command::new("find").arg(folder).args(["-printf", "%U %p\n"]), b"", patient()).succeeds();
    let split = found.stdout.lines().map(|line| line.split_once(' ').unwrap());
    split.map(|(user, path)| (user.parse().unwrap(), path.to_owned())).collect()
}

#[test]
fn a_command_given_as_root_becomes_the_owner_of_the_state_directory() {
    assert!(rustix::process::geteuid().is_root(), "this takes root: run `make test` as root");
    // `daemon` of Debian's base-passwd.
    let user = 1;
    let sandbox = Sandbox::new();
    sandbox.sqlite("notes.db", 10);
    configure(&sandbox, "nightly", "");
    fs::set_permissions(sandbox.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    for path in ["state", "store", "home", "notes.db", ""] {
        chown(sandbox.path(path), Some(user), Some(user)).unwrap();
    }
    sandbox.caretaker(&["backup", "now", "notes"]).succeeds();
    sandbox.caretaker(&["job", "run", "nightly"]).succeeds();
    sandbox.caretaker(&["status"]).succeeds();
    let daemon = sandbox.daemon();
    let process = fs::metadata(format!("/proc/{}", daemon.pid().as_raw_nonzero())).unwrap();
    assert_eq!(process.uid(), user);
    daemon.terminate();
    for folder in [sandbox.state(), sandbox.store()] {
        let owners = owners(&folder);
        assert!(owners.len() > 3 && owners.iter().all(|(owner, _)| *owner == user), "{owners:?}");
    }
}

#[test]
fn a_command_given_as_root_has_the_home_of_the_user_it_becomes() {
    assert!(rustix::process::geteuid().is_root(), "this takes root: run `make test` as root");
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    let tools = Tools::with_dump(&sandbox, "echo \"at home in $HOME\" >&2; exit 1");
    sandbox.configure_daemon(&tools.setting(), &nightly("app", &database.url(), &["local"], ""));
    fs::set_permissions(sandbox.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    for path in ["state", "store"] {
        chown(sandbox.path(path), Some(1), Some(1)).unwrap();
    }
    let daemon = run(Command::new("getent").args(["passwd", "1"]), b"", patient()).succeeds();
    let home = daemon.stdout.split(':').nth(5).unwrap().to_owned();
    sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains(&format!("at home in {home}"));

    // What that user may not do is told with its name. The database's folder is root's.
    sandbox.sqlite("notes.db", 1);
    configure(&sandbox, "nightly", "");
    sandbox.caretaker(&["backup", "now", "notes"]).exits(1).complains("as the user daemon");
}
