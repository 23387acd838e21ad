//! `[daemon]`

use std::path::{Path, PathBuf};

use super::super::layers::Origin;
use super::super::{DEFAULT_PATH, Daemon, Environment};
use super::Section;
use super::values::{choice, duration, number, path, timezone};

/// Where the state is kept when neither the configuration nor systemd says so.
const STATE_DIR: &str = "./caretaker-state";

/// The same for the system's own configuration: what the unit's `StateDirectory=` makes, so that a command given in a
/// shell means the state of the daemon.
const SYSTEM_STATE_DIR: &str = "/var/lib/caretaker";

pub(super) fn read(section: &Section<'_>) -> Option<Daemon> {
    let state_dir = state_dir(section);
    let timezone = section.or("timezone", "UTC", timezone);
    let environments = [
        ("production", Environment::Production),
        ("staging", Environment::Staging),
        ("development", Environment::Development),
    ];
    let environment = section.or("environment", "production", choice(&environments));
    let max_concurrent_runs = section.or("max_concurrent_runs", 2, number(1..=1000));
    let pg_bindir = section.optional("pg_bindir", path);
    let drain_timeout = section.or("drain_timeout", "90s", duration);
    section.finish();
    Some(Daemon {
        state_dir: state_dir?,
        timezone: timezone?,
        environment: environment?,
        max_concurrent_runs: max_concurrent_runs?,
        pg_bindir,
        drain_timeout: drain_timeout?,
    })
}

/// `state_dir`, else systemd's `StateDirectory=`, else the system's or a folder in the working directory.
fn state_dir(section: &Section<'_>) -> Option<PathBuf> {
    if section.has("state_dir") {
        let dir = section.optional("state_dir", path)?;
        return Some(dir);
    }
    const VARIABLE: &str = "STATE_DIRECTORY";
    // systemd separates several by colons; the first is ours.
    let given = section.reader.layers.env.get(VARIABLE).and_then(|dirs| dirs.split(':').next());
    if let Some(dir) = given.filter(|dir| dir.starts_with('/')) {
        section.spot("state_dir");
        section.show("state_dir", dir, &Origin::Variable(VARIABLE.to_owned()));
        return Some(dir.into());
    }
    let is_system = section.reader.layers.files.first().is_some_and(|file| file.path == Path::new(DEFAULT_PATH));
    section.or("state_dir", if is_system { SYSTEM_STATE_DIR } else { STATE_DIR }, path)
}
