//! Disks that are full or read-only.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Outcome, S3, Sandbox, files, nightly, patient, run, sqlite_url, stock};

/// A small file system of its own; gone when dropped.
pub struct Disk(PathBuf);

impl Disk {
    pub fn mount(path: PathBuf, options: &str) -> Self {
        std::fs::create_dir_all(&path).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(&path), b"", patient()).succeeds();
        Self(path)
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        run(Command::new("mount").args(["-o", &options]).arg(&self.0), b"", patient()).succeeds();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn in_use(path: &Path) -> u64 {
    let said = stock::shell(r#"df --output=used "$1" | tail -1"#, &[path]).succeeds().stdout;
    said.trim().parse().unwrap()
}

/// A job of a database of some 5 MiB into the disk and a bucket; the outcome of its run.
fn run_into(sandbox: &Sandbox, disk: &Disk) -> (crate::support::Bucket, Outcome) {
    let bucket = S3::shared().bucket();
    let url = sqlite_url(&sandbox.sqlite("notes.db", 20_000));
    let store = bucket.store("offsite", &bucket.s3.credentials_file(&sandbox.path("")));
    let small = format!("[stores.small]\nkind = 'local'\npath = '{}'\n", disk.0.display());
    let job = nightly("notes", &url, &["small", "offsite"], "compression = 'none'");
    sandbox.configure(&format!("{store}{small}{job}"));
    (bucket, sandbox.caretaker(&["job", "run", "nightly"]))
}

#[test]
fn a_full_disk_costs_the_bucket_nothing_and_is_left_as_it_was() {
    let sandbox = Sandbox::new();
    let disk = Disk::mount(sandbox.path("small"), "size=2m");
    let before = in_use(&disk.0);
    let (bucket, run) = run_into(&sandbox, &disk);
    run.exits(1).complains("partial").complains("small").complains("no space left").complains("free space");
    assert_eq!(files(&disk.0), Vec::<PathBuf>::new());
    assert_eq!(in_use(&disk.0), before);
    assert_eq!(bucket.keys().len(), 2);
    // With room again, the next run completes it.
    disk.remount("size=30m");
    sandbox.caretaker(&["job", "run", "nightly"]).succeeds();
    let states: Vec<_> = sandbox.listed().iter().map(|backup| backup["state"].clone()).collect();
    assert_eq!(states, ["complete", "complete"]);
}

#[test]
fn a_read_only_disk_costs_the_bucket_nothing_and_says_what_to_do() {
    let sandbox = Sandbox::new();
    let disk = Disk::mount(sandbox.path("small"), "size=30m,ro");
    let (bucket, run) = run_into(&sandbox, &disk);
    run.exits(1).complains("partial").complains("read-only").complains("ReadWritePaths=");
    assert_eq!(bucket.keys().len(), 2);
}

#[test]
fn a_full_staging_folder_is_named_and_left_empty() {
    let sandbox = Sandbox::new();
    let url = sqlite_url(&sandbox.sqlite("notes.db", 40_000));
    let _disk = Disk::mount(sandbox.path("state/staging"), "size=3m");
    sandbox.configure(&nightly("notes", &url, &["local"], ""));
    sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("no space left").complains("staging");
    sandbox.assert_nothing_left();
}

#[test]
fn a_store_whose_folder_is_gone_says_so_and_does_well_again_when_it_is_back() {
    let sandbox = Sandbox::new();
    let url = sqlite_url(&sandbox.sqlite("notes.db", 10));
    let gone = format!("[stores.gone]\nkind = 'local'\npath = '{}'\n", sandbox.path("not/mounted").display());
    sandbox.configure(&format!("{gone}{}", nightly("notes", &url, &["gone"], "")));
    sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("not/mounted").complains("does not exist");
    assert!(!sandbox.path("not").exists(), "a folder that is not there is not made: it may be a disk not mounted");
    // Whether something was left there is not known; that it is no backup is.
    sandbox.caretaker(&["backup", "verify", "latest"]).exits(1).complains("no complete backup");

    std::fs::create_dir(sandbox.path("not")).unwrap();
    sandbox.caretaker(&["job", "run", "nightly"]).succeeds();
    assert_eq!(sandbox.listed().len(), 1);
}
