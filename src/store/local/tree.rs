//! The folders of a directory store: keys to paths, folders made and removed durably, listing, sweeping. All of it
//! blocks, and runs on blocking threads only.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::super::{ObjectInfo, ObjectKey};

/// Ends the temporary name of an object being written: `.data.dump.zst.3f9c….partial`.
pub const PARTIAL: &str = ".partial";

/// Whether a file's name is a temporary one.
pub fn is_partial(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(PARTIAL)
}

/// Where an object lies. Fails for a key that would leave the root or hide among the temporary names.
pub fn path_of(root: &Path, key: &str) -> io::Result<PathBuf> {
    let fine = ObjectKey::parse(key).is_some_and(|key| !key.as_str().split('/').any(is_partial));
    if fine { Ok(root.join(key)) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "not a key of a store")) }
}

/// Where a folder lies; the empty folder is the root.
pub fn folder_of(root: &Path, folder: &str) -> io::Result<PathBuf> {
    let folder = folder.trim_end_matches('/');
    if folder.is_empty() { Ok(root.to_owned()) } else { path_of(root, folder) }
}

/// Makes a folder's entries durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // File systems that know no such thing, as CIFS and some in user space.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        other => other,
    }
}

/// Makes the root if only its last component is missing. A parent that is missing as well is more likely a disk that
/// is not mounted than a wish, so it stays an error.
pub fn ensure_root(root: &Path) -> io::Result<()> {
    if root.is_dir() {
        return Ok(());
    }
    make_folder(root)
}

/// Makes a folder below the root, and those between, each durable in its parent.
pub fn ensure_folder(root: &Path, folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if folder == root {
        return make_folder(root);
    }
    if let Some(parent) = folder.parent() {
        ensure_folder(root, parent)?;
    }
    make_folder(folder)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => return Ok(()),
        other => other?,
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match sync_folder(parent) {
        // One may write into the parent of the root without being allowed to read it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

/// Removes a folder and those above it, up to the root, as long as they are empty. What cannot be removed stays: an
/// empty folder does no harm.
pub fn remove_empty(root: &Path, folder: &Path) {
    let mut folder = folder;
    while folder != root && folder.starts_with(root) && fs::remove_dir(folder).is_ok() {
        match folder.parent() {
            Some(parent) => folder = parent,
            None => return,
        }
    }
}

/// Whether the root is there. `false`: it is not, but its parent is, so this is a store that was never written to.
pub fn root_exists(root: &Path) -> io::Result<bool> {
    match fs::metadata(root) {
        Ok(found) if found.is_dir() => Ok(true),
        Ok(_) => Err(io::Error::new(io::ErrorKind::NotADirectory, "not a directory")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            fs::metadata(parent).map(|_| false)
        }
        Err(error) => Err(error),
    }
}

/// Calls `visit` with the path and key of every regular file below a folder, and `leave` with every folder once all
/// below it were visited. Symbolic links are not followed, `lost+found` is passed over, and what vanishes while we
/// look was not there.
pub fn walk(
    root: &Path,
    folder: &Path,
    visit: &mut dyn FnMut(&Path, &str) -> io::Result<()>,
    leave: &mut dyn FnMut(&Path),
) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let kind = match entry.file_type() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        if kind.is_dir() {
            if !(folder == root && entry.file_name() == "lost+found") {
                walk(root, &path, visit, leave)?;
            }
        } else if kind.is_file()
            && let Some(key) = path.strip_prefix(root).ok().and_then(Path::to_str)
        {
            visit(&path, key)?;
        }
    }
    leave(folder);
    Ok(())
}

/// Every object below a folder, by key.
pub fn list(root: &Path, folder: &Path) -> io::Result<Vec<ObjectInfo>> {
    let mut found = Vec::new();
    if !root_exists(root)? {
        return Ok(found);
    }
    walk(
        root,
        folder,
        &mut |path, key| {
            let name = key.rsplit('/').next().unwrap_or(key);
            if !is_partial(name)
                && let Some(key) = ObjectKey::parse(key)
            {
                match fs::symlink_metadata(path) {
                    Ok(metadata) => found.push(ObjectInfo { key, bytes: metadata.len() }),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        },
        &mut |_| {},
    )?;
    found.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}

/// Removes temporary files that nobody is writing any more, and empty folders; returns how many files.
pub fn sweep(root: &Path, folder: &Path) -> io::Result<usize> {
    let mut removed = 0;
    if !root_exists(root)? {
        return Ok(removed);
    }
    walk(
        root,
        folder,
        &mut |path, key| {
            if is_partial(key.rsplit('/').next().unwrap_or(key)) && abandoned(path)? {
                fs::remove_file(path)?;
                removed += 1;
            }
            Ok(())
        },
        &mut |folder| {
            if folder != root {
                // Fails, as it should, while there is anything in it.
                let _ = fs::remove_dir(folder);
            }
        },
    )?;
    if let Some(parent) = folder.parent().filter(|_| folder != root) {
        remove_empty(root, parent);
    }
    Ok(removed)
}

/// Whether the process that wrote a temporary file is gone: its lock is.
fn abandoned(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    Ok(!matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
}
