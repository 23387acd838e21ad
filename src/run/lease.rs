//! The lease: a kernel file lock per job in the state directory. It dies with its process, survives clock jumps, and so
//! tells whether the holder lives.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Since when.
    pub since: Timestamp,
    /// What it runs: the program's arguments are not recorded, only `daemon` or `command`.
    pub run_id: Option<String>,
}

/// Why a lease was not given.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another run holds it.
    #[error("{name} is busy: {}", held_by(.holder))]
    Busy {
        /// The lease.
        name: String,
        /// Its holder, if it has written itself down yet.
        holder: Option<Holder>,
    },
    /// The lock file cannot be used.
    #[error("cannot use the lock file {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

fn held_by(holder: &Option<Holder>) -> String {
    match holder {
        Some(Holder { pid, since, run_id: Some(run) }) => {
            format!("process {pid} runs it since {since:.0} as run {run}")
        }
        Some(Holder { pid, since, run_id: None }) => format!("process {pid} holds it since {since:.0}"),
        None => "another process has just taken it".to_owned(),
    }
}

impl Fault for LeaseError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Busy { holder: Some(Holder { run_id: Some(run), .. }), .. } => {
                Some(format!("wait for it, or end it with `caretaker job cancel {run}`"))
            }
            Self::Busy { .. } => Some("wait for it to end".to_owned()),
            Self::Io { .. } => Some("the state directory must belong to the user Caretaker runs as".to_owned()),
        }
    }
}

/// Where the lock files lie, in the state directory.
const FOLDER: &str = "locks";

/// How often, and how far apart, a busy lease that others may look at is tried.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_millis(20);

fn path(state_dir: &Path, name: &str) -> PathBuf {
    state_dir.join(FOLDER).join(format!("{name}.lock"))
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// A lease that is held; dropping it gives it back.
#[derive(Debug)]
pub struct Lease {
    file: File,
    path: PathBuf,
}

impl Lease {
    /// Takes the lease of this name, or says who holds it. Never waits.
    pub fn acquire(state_dir: &Path, name: &str, now: Timestamp) -> Result<Self, LeaseError> {
        let path = path(state_dir, name);
        let io = |source| LeaseError::Io { path: path.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(state_dir.join(FOLDER)).map_err(io)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(LeaseError::Busy { name: name.to_owned(), holder: read(&mut file) });
            }
            Err(error) => return Err(io(error.into())),
        }
        let mut lease = Self { file, path };
        lease.sign(None, now)?;
        Ok(lease)
    }

    /// Takes the lease as [`Self::acquire`] does, but not at the first refusal for a busy one: somebody may only be
    /// looking at it ([`Self::holder`]), which takes microseconds.
    pub async fn acquire_watched(state_dir: &Path, name: &str, now: Timestamp) -> Result<Self, LeaseError> {
        for _ in 0..LOOKS {
            match Self::acquire(state_dir, name, now) {
                Err(LeaseError::Busy { .. }) => tokio::time::sleep(LOOK).await,
                other => return other,
            }
        }
        Self::acquire(state_dir, name, now)
    }

    /// Who holds a lease; `None`: nobody. Leaves no mark.
    pub fn holder(state_dir: &Path, name: &str) -> Result<Option<Holder>, LeaseError> {
        let path = path(state_dir, name);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LeaseError::Io { path, source }),
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(None),
            // A holder that has not signed yet has only just begun.
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(read(&mut file)),
            Err(error) => Err(LeaseError::Io { path, source: error.into() }),
        }
    }

    /// Writes down who holds it, for those who find it taken.
    pub fn sign(&mut self, run_id: Option<&str>, now: Timestamp) -> Result<(), LeaseError> {
        let holder = Holder { pid: std::process::id(), since: now, run_id: run_id.map(str::to_owned) };
        let text = serde_json::to_string(&holder).unwrap_or_default();
        let io = |source| LeaseError::Io { path: self.path.clone(), source };
        self.file.set_len(0).map_err(io)?;
        self.file.rewind().map_err(io)?;
        self.file.write_all(text.as_bytes()).map_err(io)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_given_once_and_tells_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let mut lease = Lease::acquire(dir.path(), "backup.nightly", now).unwrap();
        lease.sign(Some("run-1"), now).unwrap();
        let refused = Lease::acquire(dir.path(), "backup.nightly", now).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "backup.nightly is busy: process {} runs it since 1970-01-01T00:00:00Z as run run-1",
                std::process::id()
            )
        );
        assert_eq!(Lease::holder(dir.path(), "backup.nightly").unwrap().unwrap().run_id.as_deref(), Some("run-1"));
        drop(lease);
        assert_eq!(Lease::holder(dir.path(), "backup.nightly").unwrap(), None, "what is written down outlives it");
        assert_eq!(Lease::holder(dir.path(), "backup.never").unwrap(), None);
        Lease::acquire(dir.path(), "backup.nightly", now).unwrap();
    }
}
