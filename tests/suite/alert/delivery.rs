//! The outbox: nothing lost, nothing doubled, nobody held up by others.

use std::collections::BTreeSet;
use std::fs;

use super::jobs::{told, wait_told};
use crate::faults::disk::Disk;
use crate::support::{Sandbox, Smtp, patient, sqlite_url, until};

/// A machine with a job of a database that is not there, and two channels: `ops`, and `away`, which writes into a folder
/// that is not there.
fn with_one_away(alerts: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!(
        "[databases.notes]\nurl = '{}'\n[channels.ops]\nkind = 'file'\npath = './ops'\n\
         [channels.away]\nkind = 'file'\npath = './away/lines'\n\
         [backup.nightly]\ndatabase = 'notes'\nstores = ['local']\nretention = 'last 3'\n\
         [alerts]\ngroup_wait = '1s'\ngroup_interval = '1s'\n{alerts}\n",
        sqlite_url(&sandbox.path("notes.db")),
    ));
    sandbox
}

/// The ids of the messages that have reached `away`.
fn arrived(sandbox: &Sandbox) -> Vec<String> {
    let text = fs::read_to_string(sandbox.path("away/lines")).unwrap_or_default();
    let id = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["message"]["id"].clone();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| id(line).as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_waits_for_one_who_is_away_comes_in_order_and_whole_though_the_daemon_is_killed_meanwhile() {
    let sandbox = with_one_away("");
    sandbox.queue("away", "away", 600);
    let mut daemon = sandbox.daemon();
    daemon.wait_for("not delivered yet");
    assert_eq!(sandbox.waiting(), 600);
    sandbox.caretaker(&["status"]).succeeds().says("600 to tell away").says("cannot write");
    fs::create_dir(sandbox.path("away")).unwrap();
    for enough in [100, 300] {
        until("some to arrive", patient(), || arrived(&sandbox).len() >= enough);
        daemon.kill();
        daemon = sandbox.daemon();
    }
    until("all to be delivered", patient(), || sandbox.waiting() == 0);
    // Whether a line was written before a kill, the file itself says.
    assert_eq!(arrived(&sandbox), (1..=600).map(|i| format!("m{i}")).collect::<Vec<_>>());
}

/// Asserts that `m1`, `m2`, … are all there, in their order, and no more of them twice than were cut off between delivery
/// and record.
#[track_caller]
fn assert_in_order(arrived: &[String], count: u32, kills: usize) {
    let mut seen = BTreeSet::new();
    let firsts: Vec<&String> = arrived.iter().filter(|id| seen.insert(*id)).collect();
    assert_eq!(firsts, (1..=count).map(|i| format!("m{i}")).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    let doubled = arrived.len() - firsts.len();
    assert!(doubled <= kills, "{doubled} came twice, {kills} can have been cut off");
}

#[test]
fn mails_that_wait_for_a_server_that_is_down_come_in_order_and_whole_though_the_daemon_is_killed_meanwhile() {
    let sandbox = Sandbox::new();
    let mut smtp = Smtp::counting(&sandbox);
    smtp.stop();
    sandbox.configure(&smtp.channel("tls = 'none'"));
    sandbox.queue("ops", "ops@example.org", 500);
    let mut daemon = sandbox.daemon();
    daemon.wait_for("not delivered yet");
    smtp.resume();
    for enough in [100, 300] {
        until("some to arrive", patient(), || smtp.took().len() >= enough);
        daemon.kill();
        daemon = sandbox.daemon();
    }
    until("all to be delivered", patient(), || sandbox.waiting() == 0);
    assert_in_order(&smtp.took(), 500, 2);
}

#[test]
fn one_who_is_away_holds_nobody_else_up() {
    let sandbox = with_one_away("");
    let _daemon = sandbox.daemon();
    sandbox.caretaker(&["job", "run", "nightly"]).exits(1);
    wait_told(&sandbox, "ops", &["opened critical backup.nightly"]);
    until("only the other to wait", patient(), || sandbox.waiting() == 1);
    assert_eq!(arrived(&sandbox).len(), 0);
    fs::create_dir(sandbox.path("away")).unwrap();
    until("the other to be told", patient(), || arrived(&sandbox).len() == 1);
}

#[test]
fn what_could_not_be_delivered_in_time_is_an_incident_told_by_the_other_channel_and_over_with_the_next_delivery() {
    let sandbox = with_one_away("expire_after = '1s'");
    let _daemon = sandbox.daemon();
    sandbox.caretaker(&["job", "run", "nightly"]).exits(1);
    wait_told(&sandbox, "ops", &["opened critical backup.nightly", "opened critical away"]);
    sandbox.caretaker(&["alert", "list"]).succeeds().says("away delivery").says("not delivered in time");
    fs::create_dir(sandbox.path("away")).unwrap();
    sandbox.sqlite("notes.db", 10);
    sandbox.caretaker(&["job", "run", "nightly"]).succeeds();
    until("both to be over", patient(), || told(&sandbox, "ops").contains(&"recovered critical away".to_owned()));
}

#[test]
fn who_cannot_be_reached_for_a_quarter_of_an_hour_is_an_incident_told_by_the_other_channel() {
    let sandbox = with_one_away("");
    sandbox.queue("away", "away", 2);
    // As after some attempts of an earlier life.
    sandbox.state_sql("UPDATE outbox SET attempts = 8, queued_ms = (unixepoch() - 14 * 60) * 1000;");
    let mut daemon = sandbox.daemon();
    daemon.wait_for("not delivered yet");
    assert!(daemon.log().contains("`caretaker alert test away` tries it at once"), "{}", daemon.log());
    assert_eq!(sandbox.state_lines("SELECT count(*) FROM incidents;"), ["0"]);
    daemon.kill();
    sandbox.state_sql("UPDATE outbox SET queued_ms = queued_ms - 60000;");
    let daemon = sandbox.daemon();
    wait_told(&sandbox, "ops", &["opened critical away"]);
    sandbox.caretaker(&["alert", "list"]).succeeds().says("nothing was delivered for 15m");
    fs::create_dir(sandbox.path("away")).unwrap();
    // It would try again in some minutes; a daemon that starts tries at once.
    daemon.kill();
    let _daemon = sandbox.daemon();
    wait_told(&sandbox, "ops", &["opened critical away", "recovered critical away"]);
}

#[test]
fn a_full_disk_of_the_state_store_neither_loses_nor_doubles_what_waits() {
    let sandbox = with_one_away("");
    let _disk = Disk::mount(sandbox.state(), "size=4m");
    sandbox.queue("away", "away", 50);
    let mut daemon = sandbox.daemon();
    daemon.wait_for("not delivered yet");
    let ballast = sandbox.state().join("ballast");
    let _ = fs::write(&ballast, vec![0; 8 << 20]);
    fs::create_dir(sandbox.path("away")).unwrap();
    daemon.wait_for("a delivery is not recorded yet");
    fs::remove_file(ballast).unwrap();
    until("all to be delivered", patient(), || sandbox.waiting() == 0);
    assert_eq!(arrived(&sandbox), (1..=50).map(|i| format!("m{i}")).collect::<Vec<_>>());
}

#[test]
fn a_fire_drill_comes_at_its_time() {
    let sandbox = with_one_away("fire_drill = '* * * * * *'");
    let _daemon = sandbox.daemon();
    until("the drill", patient(), || told(&sandbox, "ops").contains(&"test ok -".to_owned()));
}
