//! A private folder for what is downloaded, in plain. One whose process was killed is removed by the next.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use tempfile::{NamedTempFile, TempDir};

use crate::cli::exit::CliError;
use crate::state::State;

/// What the folders are called; beside each lies a locked file of the same name.
const PREFIX: &str = "restore-";
const LOCK: &str = ".lock";

/// A folder that is removed with the value.
pub(in crate::cli) struct Staging {
    folder: TempDir,
    _lock: NamedTempFile,
}

impl Staging {
    /// Where it is.
    pub(in crate::cli) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A private folder in the state directory.
pub(in crate::cli) fn staging(state: &State) -> Result<Staging, CliError> {
    let parent = state.dir().join("staging");
    let made = fs::create_dir_all(&parent).and_then(|()| {
        sweep(&parent)?;
        make(&parent)
    });
    made.map_err(|error| CliError::failed(format!("cannot make a staging folder in {}: {error}", parent.display())))
}

/// The lock first: a folder without one belongs to nobody.
fn make(parent: &Path) -> io::Result<Staging> {
    let lock = tempfile::Builder::new().prefix(PREFIX).suffix(LOCK).tempfile_in(parent)?;
    lock.as_file().lock()?;
    let name = lock.path().file_stem().unwrap_or_default().to_owned();
    let folder = tempfile::Builder::new().prefix(&name).rand_bytes(0).tempdir_in(parent)?;
    Ok(Staging { folder, _lock: lock })
}

fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(PREFIX) || !entry.file_type()?.is_dir() {
            continue;
        }
        let lock = parent.join(format!("{name}{LOCK}"));
        let is_held = match File::open(&lock) {
            Ok(file) => matches!(file.try_lock(), Err(TryLockError::WouldBlock)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if !is_held {
            fs::remove_dir_all(entry.path())?;
            let _ = fs::remove_file(&lock);
        }
    }
    Ok(())
}
