//! Backups that are not good, and deletions that do not work.

use std::path::Path;
use std::process::Command;

use super::prune::with_backups;
use crate::support::{Sandbox, files, flip, nightly, patient, run, sqlite_url};

/// Mounts a folder over itself, so that it can be made read-only.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn read_only(path: &'a Path) -> Self {
        run(Command::new("mount").arg("--bind").arg(path).arg(path), b"", patient()).succeeds();
        run(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(path), b"", patient()).succeeds();
        Self(path)
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_deletion_that_fails_is_shown_and_done_next_time() {
    let (sandbox, folders) = with_backups(3, "'last 1'");
    let store = sandbox.store();
    let mounted = Mounted::read_only(&store);
    sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).exits(1).says("not deleted").says("read-only");
    assert_eq!(sandbox.backups("notes").len(), 3, "nothing has gone");
    // Shown, and still a failure while it lasts.
    sandbox.caretaker(&["backup", "prune"]).succeeds().says("unfinished").says("read-only");
    assert!(sandbox.caretaker(&["backup", "list"]).succeeds().stdout.contains("deleting"));
    sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).exits(1).says("not deleted");
    drop(mounted);
    sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds();
    assert_eq!(sandbox.backups("notes"), folders[2..]);
    assert_eq!(files(&store.join("notes")).len(), 2);
    assert_eq!(sandbox.listed().len(), 1);
}

#[test]
fn the_next_run_finishes_what_could_not_be_deleted() {
    let (sandbox, folders) = with_backups(2, "'last 1'");
    let store = sandbox.store();
    let mounted = Mounted::read_only(&store);
    sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).exits(1);
    drop(mounted);
    sandbox.run_nightly();
    assert!(!folders[0].exists() && !folders[1].exists());
    assert_eq!(sandbox.listed().len(), 1);
}

#[test]
fn partial_backups_never_push_a_good_one_out() {
    let sandbox = Sandbox::new();
    let url = sqlite_url(&sandbox.sqlite("notes.db", 3));
    let far = sandbox.path("far");
    std::fs::create_dir(&far).unwrap();
    let store = format!("[stores.far]\nkind = 'local'\npath = '{}/disk'\n", far.display());
    sandbox.configure(&format!("{store}{}", nightly("notes", &url, &["local", "far"], "retention = 'last 1'")));
    let good = sandbox.run_nightly();
    // The disk is not mounted any more.
    std::fs::rename(&far, sandbox.path("unmounted")).unwrap();
    for _ in 0..3 {
        sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("partial");
    }
    sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds().says("newest good one").says("0 deleted");
    assert!(good.join("manifest.json").exists());
    assert_eq!(sandbox.listed().len(), 4);
}

#[test]
fn a_backup_that_was_found_bad_never_pushes_a_good_one_out() {
    let (sandbox, folders) = with_backups(2, "'last 1'");
    flip(&folders[1].join("data.db.zst"));
    sandbox.caretaker(&["backup", "verify", "latest"]).exits(5);
    sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds().says("0 deleted");
    assert!(folders[0].exists() && folders[1].exists());
}
