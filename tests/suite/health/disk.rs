//! disk_free, disk_full_in: a small disk of one's own.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use jiff::SignedDuration;

use super::watch::{Says as _, Watch};
use crate::support::{Sandbox, patient, run, sqlite_url};

/// A file system of 64 MiB; gone when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(path: PathBuf) -> Self {
        std::fs::create_dir_all(&path).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "none"]).arg(&path), b"", patient())
            .succeeds();
        Self(path)
    }

    fn fill(&self, mib: u64) {
        let file = File::create(self.0.join("filling")).unwrap();
        if mib == 0 {
            return;
        }
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, mib << 20).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn watch(check: &str, settings: &str) -> (Watch, Disk) {
    let sandbox = Sandbox::new();
    let disk = Disk::mount(sandbox.path("small"));
    let url = sqlite_url(&sandbox.sqlite("notes.db", 10));
    let store = format!("[stores.small]\nkind = 'local'\npath = '{}'\n", disk.0.display());
    // The machine's own disk is another matter.
    let named = ["state", "store", "notes.db"].map(|name| format!("'{}'", sandbox.path(name).display()));
    let exclude = format!("exclude = [{}]", named.join(", "));
    (Watch::with(sandbox, check, &url, &format!("{settings}\n{exclude}"), "", &store), disk)
}

#[test]
fn a_stores_disk_that_fills_up_is_named_until_there_is_room_again() {
    let (watch, disk) = watch("disk_free", "");
    watch.ok().says("store small").says("64.00 MiB");
    disk.fill(59);
    watch.warns().says("retention");
    disk.fill(62);
    watch.critical();
    disk.fill(10);
    watch.ok();
}

#[test]
fn the_day_on_which_a_disk_will_be_full_is_told_from_its_last_days() {
    let (mut watch, disk) = watch("disk_full_in", "");
    watch.not_applicable().says("not been watched for a day");
    let day = SignedDuration::from_hours(24);
    // 1 MiB a day, of 64.
    disk.fill(1);
    watch.pass(day);
    watch.ok().says("full in 6").says("losing");
    disk.fill(20);
    watch.pass(day);
    watch.warns().says("full in 4d");
    disk.fill(55);
    watch.pass(day);
    watch.critical();
    for mib in [30, 10, 1, 0] {
        disk.fill(mib);
        watch.pass(day);
    }
    disk.fill(1);
    watch.pass(day * 6);
    watch.not_applicable();
    watch.pass(day);
    watch.ok().says("no volume is filling up");
}
