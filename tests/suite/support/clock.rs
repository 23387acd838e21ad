//! A wall clock that a test sets, for a process and its children, by libfaketime.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;

use super::Sandbox;

/// The wall clock of the processes it was given to. It goes at the usual pace; the clock that measures durations, which no
/// machine can set, is left alone.
#[derive(Debug)]
pub struct Clock {
    file: PathBuf,
}

impl Clock {
    /// A clock that shows an instant: `2026-03-29T01:59:50+01:00`.
    pub fn at(sandbox: &Sandbox, instant: &str) -> Self {
        let clock = Self { file: sandbox.path("clock") };
        clock.set(instant);
        clock
    }

    /// Sets it, for processes that run too.
    pub fn set(&self, instant: &str) {
        let target: Timestamp = instant.parse().unwrap();
        let offset = target.as_second() - Timestamp::now().as_second();
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{offset:+}\n")).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    /// Gives it to a process that is about to start.
    pub fn give(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", &self.file).env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
    }
}

/// Where Debian's package `libfaketime` puts it, by architecture.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let mut found =
        folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).filter(|path: &PathBuf| path.exists());
    found.next().unwrap_or_else(|| panic!("no libfaketime below {}: install faketime", Path::new("/usr/lib").display()))
}
