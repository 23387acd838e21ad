//! backup_age, proof_age, job_overdue, policy_overdue: what Caretaker itself remembers.

use caretaker::state::{Claim, SlotCause, Status};
use jiff::SignedDuration;

use super::watch::{Says as _, Watch};
use crate::support::{Clock, Sandbox, flip, patient, run, sqlite_url, until};

/// A small database that is backed up each night at two.
fn watch(check: &str, settings: &str) -> Watch {
    let sandbox = Sandbox::new();
    let url = sqlite_url(&sandbox.sqlite("notes.db", 10));
    let job = "[backup.nightly]\ndatabase = 'app'\nstores = ['local']\nschedule = '0 2 * * *'\ncompression = 'none'\n";
    Watch::with(sandbox, check, &url, settings, "", job)
}

/// Runs a command at the time of the rounds.
fn caretaker(watch: &Watch, arguments: &[&str]) -> crate::support::Outcome {
    let mut command = watch.sandbox.command();
    Clock::at(&watch.sandbox, &watch.now().to_string()).give(&mut command);
    run(command.args(arguments), b"", patient())
}

const NIGHTLY: [&str; 3] = ["job", "run", "nightly"];

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

#[test]
fn a_backup_grows_old_by_what_its_schedule_promises_until_there_is_a_newer_one() {
    let mut watch = watch("backup_age", "");
    watch.warns().says("there is no good backup");
    caretaker(&watch, &NIGHTLY).succeeds();
    let found = watch.ok();
    assert_eq!(found.threshold.as_deref(), Some("warning from 1d 12h, critical from 3d 0h"));
    watch.pass(hours(35));
    watch.ok();
    watch.pass(hours(2));
    watch.warns().says("complete, in local");
    watch.pass(hours(40));
    watch.critical().says("caretaker job run");
    caretaker(&watch, &NIGHTLY).succeeds();
    watch.ok();
}

#[test]
fn a_backup_that_was_found_bad_is_no_backup() {
    let mut watch = watch("backup_age", "warning = '10h'\ncritical = '20h'");
    caretaker(&watch, &NIGHTLY).succeeds();
    watch.pass(hours(5));
    caretaker(&watch, &NIGHTLY).succeeds();
    watch.pass(hours(6));
    watch.ok();
    let newest = watch.sandbox.backups("app").pop().unwrap();
    flip(&newest.join("data.db"));
    caretaker(&watch, &["backup", "verify", "latest"]).exits(5);
    watch.warns().says("found bad");
}

#[test]
fn without_a_backup_job_there_is_no_backup_to_be_old() {
    let sandbox = Sandbox::new();
    let url = sqlite_url(&sandbox.sqlite("notes.db", 10));
    for check in ["backup_age", "proof_age", "job_overdue"] {
        Watch::new(check, &url, "").not_applicable();
    }
}

#[test]
fn a_proof_grows_old_until_a_backup_is_proven_again() {
    let mut watch = watch("proof_age", "");
    watch.not_applicable().says("no backup to prove");
    caretaker(&watch, &NIGHTLY).succeeds();
    watch.ok().says("no backup was ever proven");
    caretaker(&watch, &["backup", "verify", "latest"]).succeeds();
    watch.pass(hours(24 * 7));
    watch.ok().says("the last proof");
    watch.pass(hours(24 * 2));
    watch.warns().says("found good");
    watch.pass(hours(24 * 24));
    watch.critical().says("caretaker backup verify");
    caretaker(&watch, &["backup", "verify", "latest"]).succeeds();
    watch.ok();
    // Once the newest is found bad, the good one of before is no comfort.
    caretaker(&watch, &NIGHTLY).succeeds();
    flip(&watch.sandbox.backups("app").pop().unwrap().join("data.db"));
    caretaker(&watch, &["backup", "verify", "latest"]).exits(5);
    watch.warns().says("was found bad");
}

#[test]
fn a_slot_that_no_daemon_takes_is_overdue_until_one_does() {
    let mut watch = watch("job_overdue", "");
    watch.not_applicable().says("by a daemon yet");
    let daemon = |watch: &Watch| {
        let clock = Clock::at(&watch.sandbox, &watch.now().to_string());
        watch.sandbox.daemon_with(|command| clock.give(command))
    };
    drop(daemon(&watch));
    watch.ok();
    let two = watch.now().to_zoned(jiff::tz::TimeZone::UTC).date().at(2, 0, 0, 0);
    let tonight = two.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    let slot = if tonight > watch.now() { tonight } else { tonight + hours(24) };
    watch.pass(slot.duration_since(watch.now()) + SignedDuration::from_mins(5));
    watch.ok();
    watch.pass(SignedDuration::from_mins(10));
    watch.warns().says("backup.nightly: the slot has been due for 15m");
    watch.pass(SignedDuration::from_mins(60));
    watch.critical().says("was not taken");
    let daemon = daemon(&watch);
    until("the slot to be caught up", patient(), || watch.sandbox.runs() == ["succeeded"]);
    watch.ok();
    drop(daemon);
}

#[test]
fn a_job_whose_slots_are_taken_and_never_succeed_is_overdue_too() {
    let mut watch = watch("job_overdue", "warning = '1h'\ncritical = '20h'");
    let job = "backup.nightly".to_owned();
    watch.wait(watch.state().register_jobs(&[(job.clone(), "0 2 * * * UTC".to_owned())], watch.now())).unwrap();
    caretaker(&watch, &NIGHTLY).succeeds();
    for (passed, expected) in [(1, Status::Ok), (24, Status::Ok), (25, Status::Warning), (24, Status::Critical)] {
        watch.pass(hours(passed));
        let claim = Claim { job: job.clone(), slot: watch.now(), cause: SlotCause::OnTime, missed: 0 };
        watch.wait(watch.state().claim_slots(&[claim], watch.now())).unwrap();
        watch.sees(expected);
    }
    watch.look().says("has not succeeded within two of its pauses");
    caretaker(&watch, &NIGHTLY).succeeds();
    watch.ok();
}

#[test]
fn a_policy_is_overdue_once_it_was_not_applied_for_longer_than_its_schedule_promises() {
    let sandbox = Sandbox::new();
    let path = sandbox.sqlite("notes.db", 10);
    let policy = "[privacy.school]\ndatabase = 'app'\nschedule = '0 3 * * 0'\ncaps = { max_fraction = 1.0 }\n\
        [[privacy.school.rules]]\nname = 'old notes'\ntable = 'note'\nage_column = 'made'\nolder_than = '90 days'\n\
        action = 'delete'\n";
    let mut watch = Watch::with(sandbox, "policy_overdue", &sqlite_url(&path), "", "", policy);
    watch.not_applicable().says("no privacy policy of this database is in force");
    caretaker(&watch, &["privacy", "apply", "school", "--yes"]).succeeds();
    watch.ok();
    watch.pass(hours(24 * 7 + 20));
    watch.ok();
    watch.pass(hours(10));
    watch.warns().says("school, old notes: last applied");
    watch.pass(hours(24 * 7));
    watch.critical().says("caretaker privacy plan");
    caretaker(&watch, &["privacy", "apply", "school", "--yes"]).succeeds();
    watch.ok();
}
