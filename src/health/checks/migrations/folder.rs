//! The files of a migrations folder.

use std::path::{Path, PathBuf};

use crate::health::Unseen;

/// A file below the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// From the folder on: `shop/migrations/0001_initial.py`.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl File {
    /// Its own name, without the folders.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// More than this is no migrations folder.
const MOST_FILES: usize = 20_000;
const DEEPEST: usize = 6;

/// Reads its `.sql` and `.py` files, in the order of their paths.
pub(super) async fn read(dir: PathBuf) -> Result<Vec<File>, Unseen> {
    let shown = dir.display().to_string();
    let read = tokio::task::spawn_blocking(move || {
        let mut files = Vec::new();
        below(&dir, "", 0, &mut files).map(|()| files)
    });
    let files = read.await.map_err(|panic| Unseen::unknown(panic.to_string()))?;
    let mut files = files.map_err(|error| {
        Unseen::unknown(format!("the migrations folder {shown} cannot be read: {error}"))
            .cure(format!("let the user that Caretaker runs as read {shown}"))
    })?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn below(dir: &Path, prefix: &str, depth: usize, files: &mut Vec<File>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let (kind, path) = (entry.file_type()?, format!("{prefix}{name}"));
        if kind.is_dir() {
            if depth < DEEPEST && !name.starts_with(['.', '_']) && name != "node_modules" {
                below(&entry.path(), &format!("{path}/"), depth + 1, files)?;
            }
        } else if name.ends_with(".sql") || name.ends_with(".py") {
            if files.len() == MOST_FILES {
                return Err(std::io::Error::other("it holds too many files"));
            }
            files.push(File { path, bytes: std::fs::read(entry.path())? });
        }
    }
    Ok(())
}
