//! `backup prune`, and the pruning after a run.

use std::path::PathBuf;

use crate::support::{Clock, Sandbox, nightly, patient, run, sqlite_url};

/// A job of a tiny database with this many backups and, from then on, this retention.
pub fn with_backups(count: usize, retention: &str) -> (Sandbox, Vec<PathBuf>) {
    let sandbox = Sandbox::new();
    sandbox.sqlite("notes.db", 3);
    configure(&sandbox, "");
    let folders = (0..count).map(|_| sandbox.run_nightly()).collect();
    configure(&sandbox, retention);
    (sandbox, folders)
}

fn configure(sandbox: &Sandbox, retention: &str) {
    let url = sqlite_url(&sandbox.path("notes.db"));
    let retention = if retention.is_empty() { String::new() } else { format!("retention = {retention}") };
    sandbox.configure(&nightly("notes", &url, &["local"], &retention));
}

fn exist(folders: &[PathBuf]) -> Vec<bool> {
    folders.iter().map(|folder| folder.exists()).collect()
}

fn id(folder: &std::path::Path) -> &str {
    folder.file_name().unwrap().to_str().unwrap()
}

#[test]
fn prune_shows_what_goes_and_why_and_deletes_only_when_told_to() {
    let (sandbox, folders) = with_backups(4, "'last 2'");
    let said = sandbox.caretaker(&["backup", "prune"]).succeeds();
    let line = |folder: &PathBuf| said.stdout.lines().find(|line| line.contains(id(folder))).unwrap().to_owned();
    assert!(line(&folders[0]).contains("delete") && line(&folders[0]).contains("no rule keeps it"), "{}", said.stdout);
    assert!(line(&folders[3]).contains("keep") && line(&folders[3]).contains("last (1 of 2)"), "{}", said.stdout);
    assert!(said.stdout.contains("--apply"), "{}", said.stdout);
    assert_eq!(exist(&folders), [true; 4]);

    sandbox.caretaker(&["backup", "prune", "--apply"]).exits(3).complains("--yes");
    assert_eq!(exist(&folders), [true; 4]);

    sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds().says("2 deleted");
    assert_eq!(exist(&folders), [false, false, true, true]);
    assert_eq!(sandbox.listed().len(), 2);
    sandbox.caretaker(&["backup", "prune", "nightly", "--apply"]).succeeds().says("0 deleted");
}

#[test]
fn a_successful_run_prunes_and_a_failed_one_does_not() {
    let (sandbox, folders) = with_backups(3, "'last 2'");
    std::fs::rename(sandbox.path("notes.db"), sandbox.path("away.db")).unwrap();
    sandbox.caretaker(&["job", "run", "nightly"]).exits(1);
    assert_eq!(exist(&folders), [true; 3]);
    std::fs::rename(sandbox.path("away.db"), sandbox.path("notes.db")).unwrap();
    sandbox.caretaker(&["job", "run", "nightly"]).succeeds().says("2 removed by retention");
    assert_eq!(exist(&folders), [false, false, true]);
}

#[test]
fn days_and_weeks_are_those_of_the_jobs_zone() {
    let sandbox = Sandbox::new();
    sandbox.sqlite("notes.db", 3);
    let in_kiritimati = "timezone = 'Pacific/Kiritimati'";
    let configure = |retention: &str| {
        let url = sqlite_url(&sandbox.path("notes.db"));
        sandbox.configure(&nightly("notes", &url, &["local"], &format!("{in_kiritimati}\n{retention}")));
    };
    configure("");
    // There, fourteen hours ahead of UTC, the second and the third are of one day, a Monday, and the fourth of the next.
    let folders: Vec<PathBuf> =
        ["2026-03-01T09:30:00Z", "2026-03-01T10:30:00Z", "2026-03-02T09:30:00Z", "2026-03-02T10:30:00Z"]
            .map(|at| {
                let known = sandbox.backups("notes");
                let mut command = sandbox.command();
                Clock::at(&sandbox, at).give(&mut command);
                run(command.args(["job", "run", "nightly"]), b"", patient()).succeeds();
                sandbox.backups("notes").into_iter().find(|folder| !known.contains(folder)).unwrap()
            })
            .into();
    configure("retention = { keep_daily = 2, keep_weekly = 2 }");
    let said = sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds().stdout;
    let line = |folder: &PathBuf| said.lines().find(|line| line.contains(id(folder))).unwrap();
    assert!(line(&folders[0]).contains("weekly"), "the last of the week before: {said}");
    assert!(line(&folders[2]).contains("daily"), "{said}");
    assert!(line(&folders[3]).contains("daily") && line(&folders[3]).contains("weekly"), "{said}");
    assert_eq!(exist(&folders), [true, false, true, true], "{said}");
}

#[test]
fn a_pinned_backup_stays_until_it_is_unpinned() {
    let (sandbox, folders) = with_backups(3, "'last 1'");
    sandbox.caretaker(&["backup", "pin", id(&folders[0])]).succeeds();
    assert!(folders[0].join("events/pinned").is_file(), "the pin stands beside the copy");
    sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds().says("pinned").says("1 deleted");
    assert_eq!(exist(&folders), [true, false, true]);
    sandbox.caretaker(&["backup", "unpin", id(&folders[0])]).succeeds();
    assert!(!folders[0].join("events/pinned").exists());
    sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds().says("1 deleted");
    assert_eq!(exist(&folders), [false, false, true]);
}

#[test]
fn what_was_made_by_hand_neither_goes_nor_counts() {
    let (sandbox, folders) = with_backups(2, "'last 2'");
    for _ in 0..3 {
        sandbox.caretaker(&["backup", "now", "notes"]).succeeds();
    }
    sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds().says("0 deleted");
    assert_eq!(exist(&folders), [true, true]);
    assert_eq!(sandbox.listed().len(), 5);
}

#[test]
fn the_last_good_ones_stay_whatever_their_age_and_that_is_said() {
    let (sandbox, folders) = with_backups(3, "{ max_age = '1s', min_good = 2 }");
    crate::support::until("the backups to be too old", std::time::Duration::from_secs(10), || {
        let said = sandbox.json(&["backup", "prune"]);
        said["plans"][0]["overdue"].as_array().unwrap().len() == 2
    });
    let said = sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds().says("1 deleted");
    assert!(said.stdout.contains("overdue") && said.stdout.contains("older than 1s"), "{}", said.stdout);
    assert_eq!(exist(&folders), [false, true, true]);
}

#[test]
fn max_age_reaches_what_was_made_by_hand() {
    let (sandbox, folders) = with_backups(1, "{ max_age = '1s' }");
    sandbox.caretaker(&["backup", "now", "notes"]).succeeds();
    let newer = sandbox.caretaker(&["job", "run", "nightly"]).succeeds();
    assert!(!newer.stdout.is_empty());
    crate::support::until("all but the newest to be too old", std::time::Duration::from_secs(10), || {
        let said = sandbox.json(&["backup", "prune"]);
        let backups = said["plans"][0]["backups"].as_array().unwrap();
        backups.iter().filter(|backup| backup["keep"] == false).count() + 1 == backups.len()
    });
    sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds();
    assert_eq!(exist(&folders), [false]);
    let left = sandbox.listed();
    assert!(left.len() == 1 && left[0]["manual"] == false, "{left:?}");
}

#[test]
fn without_retention_everything_stays() {
    let (sandbox, folders) = with_backups(2, "");
    sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds().says("everything stays");
    assert_eq!(exist(&folders), [true; 2]);
}

#[test]
fn each_job_has_only_its_own_backups_pruned() {
    let (sandbox, folders) = with_backups(2, "'last 2'");
    let url = sqlite_url(&sandbox.path("notes.db"));
    let other = "[backup.other]\ndatabase = 'notes'\nstores = ['local']\nretention = 'last 1'\n";
    sandbox.configure(&format!("{}{other}", nightly("notes", &url, &["local"], "retention = 'last 2'")));
    for _ in 0..2 {
        sandbox.caretaker(&["job", "run", "other"]).succeeds();
    }
    assert_eq!(exist(&folders), [true; 2]);
    assert_eq!(sandbox.backups("notes").len(), 3);
    sandbox.caretaker(&["backup", "prune", "mine"]).exits(2).complains("backup.nightly");
}
