//! Caretaker as a service: the units are hardened, and a real systemd runs, watches, reloads and stops the daemon.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::packaging::install;
use crate::support::{Container, Machine, Postgres, Sandbox, Smtp, eventually, patient, run, stock, until, user_of};

const UNIT: &str = "caretaker.service";

#[test]
fn the_units_are_valid_and_hardened() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/check-units");
    run(&mut Command::new(script), b"", patient()).succeeds();
}

/// A job of a database, every two seconds.
fn configuration(schedule: &str) -> String {
    format!(
        "[daemon]\nstate_dir = '/var/lib/caretaker'\n\n[databases.notes]\nurl = 'sqlite:///srv/notes/notes.db'\n\n\
         [stores.local]\nkind = 'local'\npath = '/var/backups/caretaker'\n\n\
         [backup.often]\ndatabase = 'notes'\nschedule = '{schedule}'\nstores = ['local']\nretention = 'last 5'\n"
    )
}

/// A machine on which Caretaker was installed as a package would do it, with a SQLite database to care for.
fn machine(rows: u32, configuration: &str) -> Machine {
    let machine = Machine::new();
    install(&machine.root());
    let root = format!("--root={}", machine.root().display());
    machine.host("systemd-sysusers", &[&root]).succeeds();
    machine.host("systemd-tmpfiles", &[&root, "--create", "caretaker.conf"]).succeeds();
    let wants = machine.path("/etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants).unwrap();
    symlink("/usr/lib/systemd/system/caretaker.service", wants.join(UNIT)).unwrap();

    let database = machine.path("/srv/notes/notes.db");
    fs::create_dir(database.parent().unwrap()).unwrap();
    fill(&database, rows);
    let (user, group) = user_of(&machine.root(), "caretaker");
    for path in [database.parent().unwrap(), &database] {
        std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
    }
    write_configuration(&machine.path("/etc/caretaker/caretaker.toml"), configuration);
    // What an operator adds for a SQLite database in WAL mode; and a watchdog that barks within the test's patience.
    let drop_in = machine.path("/etc/systemd/system/caretaker.service.d");
    fs::create_dir_all(&drop_in).unwrap();
    fs::write(drop_in.join("test.conf"), "[Service]\nReadWritePaths=/srv/notes\nWatchdogSec=10s\nRestartSec=100ms\n")
        .unwrap();
    machine
}

/// A table of rows that do not compress.
fn fill(database: &Path, rows: u32) {
    stock::sqlite(
        database,
        &format!(
            "PRAGMA journal_mode = WAL;\n\
             CREATE TABLE note (id INTEGER PRIMARY KEY, body BLOB NOT NULL);\n\
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})\n\
             INSERT INTO note SELECT i, randomblob(1000) FROM n;"
        ),
    );
}

/// Changes the file in place: owner and mode stay.
fn write_configuration(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
}

fn wait_active(container: &Container) {
    until("the unit to be active", Duration::from_secs(60), || {
        let state = container.property(UNIT, "ActiveState");
        assert_ne!(state, "failed", "the unit has failed");
        state == "active"
    });
}

/// The finished backups in the container's local store.
fn backups(container: &Container) -> usize {
    let Ok(entries) = fs::read_dir(container.path("/var/backups/caretaker/notes")) else { return 0 };
    entries.filter(|entry| entry.as_ref().unwrap().path().join("manifest.json").is_file()).count()
}

/// The state of each run, oldest first.
fn runs(container: &Container) -> Vec<String> {
    let state = container.path("/var/lib/caretaker/state.db");
    stock::sqlite(&state, "SELECT state FROM runs ORDER BY id;").lines().map(str::to_owned).collect()
}

#[test]
fn systemd_starts_reloads_and_watches_the_daemon() {
    let container = machine(100, &configuration("*/2 * * * * *")).boot();
    wait_active(&container);
    assert_ne!(container.property(UNIT, "StatusText"), "", "STATUS= says something");

    // It takes scheduled backups.
    until("two scheduled backups", Duration::from_secs(60), || backups(&container) >= 2);
    container.run(&["/usr/bin/caretaker", "backup", "list"]).succeeds().says("notes");

    // The journal can be asked by job and run.
    let entry = eventually("a journal entry of a finished run", patient(), || {
        let of_a_run = |entry: &Value| {
            let field = |name| entry.get(name).and_then(Value::as_str);
            field("JOB") == Some("backup.often") && field("RUN_ID").is_some() && field("DURATION_MS").is_some()
        };
        container.journal(UNIT).into_iter().find(of_a_run)
    });
    assert_eq!(entry["RUN_ID"].as_str().unwrap().len(), 36, "RUN_ID is a UUID");

    // A good configuration is taken without a restart, a bad one is refused and the old one stays.
    let pid = container.property(UNIT, "MainPID");
    let file = container.path("/etc/caretaker/caretaker.toml");
    write_configuration(&file, &configuration("*/2 * * * * *").replace("backup.often", "backup.renamed"));
    container.run(&["systemctl", "reload", UNIT]).succeeds();
    until("a run of the renamed job", Duration::from_secs(60), || {
        container.journal(UNIT).iter().any(|entry| entry.get("JOB").and_then(Value::as_str) == Some("backup.renamed"))
    });
    write_configuration(&file, &configuration("*/2 * * * * *").replace("schedule", "shedule"));
    assert_ne!(container.run(&["systemctl", "reload", UNIT]).code(), 0, "a wrong configuration is refused");
    assert_eq!(container.property(UNIT, "ActiveState"), "active");
    let before = runs(&container).len();
    until("the old configuration to go on", Duration::from_secs(60), || runs(&container).len() > before);
    assert_eq!(container.property(UNIT, "MainPID"), pid, "it was never restarted");
    write_configuration(&file, &configuration("*/2 * * * * *"));

    // A daemon that hangs is killed and started again, and goes on.
    container.run(&["sh", "-c", &format!("kill -STOP {pid}")]).succeeds();
    until("the watchdog to restart it", Duration::from_secs(60), || {
        let now = container.property(UNIT, "MainPID");
        now != "0" && now != pid && container.property(UNIT, "ActiveState") == "active"
    });
    assert_eq!(container.property(UNIT, "NRestarts"), "1");
    let before = runs(&container).len();
    until("runs after the restart", Duration::from_secs(60), || runs(&container).len() > before);
}

#[test]
fn stopping_the_service_lets_a_running_backup_finish() {
    // Some hundred megabytes, so that the backup is seen running.
    let text = format!("{}compression = 'zstd:19'\n", configuration("*/5 * * * * *"));
    let container = machine(60_000, &text).boot();
    wait_active(&container);
    until("a run in progress", Duration::from_secs(60), || {
        let state = container.path("/var/lib/caretaker/state.db");
        state.exists() && runs(&container).last().is_some_and(|state| state == "running")
    });
    container.run(&["systemctl", "stop", UNIT]).succeeds();
    assert_eq!(container.property(UNIT, "Result"), "success");
    assert_eq!(container.property(UNIT, "ExecMainStatus"), "0");
    assert_eq!(runs(&container).last().map(String::as_str), Some("succeeded"), "the run was drained, not cancelled");
    assert!(backups(&container) >= 1);
}

#[test]
fn a_daemon_that_is_given_up_leaves_an_alert_in_the_journal() {
    let container = machine(1, "[daemon]\nnonsense = true\n").boot();
    until("the unit to have failed", Duration::from_secs(60), || container.property(UNIT, "ActiveState") == "failed");
    assert_eq!(container.property(UNIT, "NRestarts"), "0", "a wrong configuration is not tried again and again");
    let alerts = ["journalctl", "--no-pager", "--output=cat", "--priority=alert"];
    let told = eventually("an alert in the journal", patient(), || {
        Some(container.run(&alerts).stdout).filter(|text| text.contains("nonsense"))
    });
    assert!(told.contains("caretaker.service has failed"), "{told}");
}

#[test]
fn a_daemon_that_is_given_up_tells_through_the_channels_of_its_last_good_configuration() {
    let channel = "[channels.log]\nkind = 'file'\npath = '/var/lib/caretaker/alerts.jsonl'\n";
    let container = machine(1, &format!("{}{channel}", configuration("0 0 1 1 *"))).boot();
    wait_active(&container);
    write_configuration(&container.path("/etc/caretaker/caretaker.toml"), "[daemon]\nnonsense = true\n");
    assert_ne!(container.run(&["systemctl", "restart", UNIT]).code(), 0);
    let told = eventually("the news", patient(), || {
        let text = fs::read_to_string(container.path("/var/lib/caretaker/alerts.jsonl")).ok()?;
        serde_json::from_str::<Value>(text.lines().next()?).ok()
    });
    let text = &told["message"]["text"];
    assert!(text[0].as_str().unwrap().starts_with("caretaker.service has failed"), "{told}");
    assert!(text[1].as_str().unwrap().contains("nonsense"), "with its last words: {told}");
}

#[test]
fn a_daemon_that_is_given_up_is_told_of_by_mail_from_its_last_good_configuration() {
    let good = configuration("0 0 1 1 *");
    let container = machine(1, &good).boot();
    wait_active(&container);
    fs::write(container.path("/etc/hosts"), "127.0.0.1 localhost\n").unwrap();
    let sandbox = Sandbox::new();
    let smtp = Smtp::inside(&container, &sandbox, json!({"auth": "caretaker:open-sesame"}));
    let (_, group) = user_of(&container.path("/"), "caretaker");
    for (name, content) in [("ca.pem", fs::read(Postgres::tls().ca).unwrap()), ("smtp", b"open-sesame\n".to_vec())] {
        let path = container.path("/etc/caretaker").join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::chown(&path, None, Some(group)).unwrap();
    }
    let channel = smtp
        .channel("ca_file = '/etc/caretaker/ca.pem', username = 'caretaker', password_file = '/etc/caretaker/smtp'");
    let file = container.path("/etc/caretaker/caretaker.toml");
    write_configuration(&file, &format!("{good}{channel}"));
    container.run(&["systemctl", "reload", UNIT]).succeeds();
    write_configuration(&file, "[daemon]\nnonsense = true\n");
    assert_ne!(container.run(&["systemctl", "restart", UNIT]).code(), 0);
    let mail = eventually("the mail", patient(), || smtp.mails().pop());
    let (subject, text) = (mail["headers"]["subject"].as_str().unwrap(), mail["text"].as_str().unwrap());
    assert!(subject.starts_with("[CRITICAL] caretaker.service has failed"), "{subject}");
    assert!(text.contains("unknown key `nonsense`"), "with its last words: {text}");
    assert!(mail["headers"]["x-seen"].as_str().unwrap().starts_with("tls=yes user=caretaker"), "{mail}");
}
