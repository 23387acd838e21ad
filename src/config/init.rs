//! `caretaker init`: writes the starter configuration.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::fault::Fault;

/// The annotated starter configuration: what `caretaker init` writes and packages install.
pub const STARTER: &str = include_str!("../../config/caretaker.toml");

const FILE: &str = "caretaker.toml";

/// Why the starter configuration was not written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is one already, which is left as it is.
    #[error("{path} exists already")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Fault for InitError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } => Some("edit it, or name another folder".to_owned()),
            Self::Write { .. } => Some("name a folder you may write to: `caretaker init DIR`".to_owned()),
        }
    }
}

/// Writes the starter configuration and an empty `conf.d` into a folder, which is made if needed. Never overwrites.
/// Returns what it made, folders included.
pub fn init(folder: &Path) -> Result<Vec<PathBuf>, InitError> {
    let path = folder.join(FILE);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| InitError::Write { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    // Readable by the service's group, which owns the folder that a package makes, and by nobody else.
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o640).open(&path);
    let mut file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(InitError::Exists { path }),
        Err(error) => return Err(failed(&path)(error)),
    };
    let group = std::fs::metadata(folder).map_err(failed(folder))?.gid();
    // Nobody but root may be allowed to; then the group is that of the one who asks.
    let _ = std::os::unix::fs::fchown(&file, None, Some(group));
    if let Err(error) = file.write_all(STARTER.as_bytes()).and_then(|()| file.sync_all()) {
        // Half a file would stand in the way of the next attempt.
        let _ = std::fs::remove_file(&path);
        return Err(failed(&path)(error));
    }
    let mut made = vec![path];
    let below = folder.join("conf.d");
    match std::fs::create_dir(&below) {
        Ok(()) => made.push(below),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(&below)(error)),
    }
    Ok(made)
}
