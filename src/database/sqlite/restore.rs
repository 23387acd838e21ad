//! Putting a restored database where there was none.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::error::{SqliteError, SqliteErrorKind};
use super::source::companion;

const CHUNK: usize = 1024 * 1024;

/// Copies the file `staging` to `target`: under a temporary name beside it, synced, then renamed, then the folder synced,
/// so that `target` is whole or not there. Mode 0600. Refuses a target that exists with anything in it, and one beside
/// which a `-wal` or `-journal` of a former database lies: SQLite would play that into the new one.
///
/// Runs on a blocking thread; dropping the future or cancelling the token ends it and leaves nothing behind.
pub async fn restore_into_new(staging: &Path, target: &Path, cancel: &CancellationToken) -> Result<(), SqliteError> {
    let (staging, target) = (staging.to_owned(), target.to_owned());
    let cancel = cancel.child_token();
    let _ends_with_us = cancel.clone().drop_guard();
    let path = target.clone();
    tokio::task::spawn_blocking(move || place(&staging, &target, &cancel))
        .await
        .unwrap_or_else(|panic| Err(SqliteError::new(&path, "restore", SqliteErrorKind::Other(panic.to_string()))))
}

fn place(staging: &Path, target: &Path, cancel: &CancellationToken) -> Result<(), SqliteError> {
    let failed = |error| SqliteError::io(target, "restore", error);
    let occupied = |what: &str| SqliteError::new(target, "restore", SqliteErrorKind::TargetExists(what.to_owned()));
    for suffix in ["-wal", "-journal"] {
        if companion(target, suffix).symlink_metadata().is_ok_and(|metadata| metadata.len() > 0) {
            return Err(occupied(&format!("a {suffix} file of a former database lies beside it")));
        }
    }
    let empty_file = match target.symlink_metadata() {
        Ok(metadata) if metadata.is_file() && metadata.len() == 0 => true,
        Ok(metadata) if metadata.is_file() => return Err(occupied(&format!("a file of {} bytes", metadata.len()))),
        Ok(_) => return Err(occupied("a directory, a link or a device")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(failed(error)),
    };
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));

    let mut source = File::open(staging).map_err(|error| SqliteError::io(staging, "read", error))?;
    // Its mode is 0600 from the beginning, and it goes away unless it is renamed.
    let mut copy = tempfile::Builder::new().prefix(".caretaker-restore-").tempfile_in(folder).map_err(failed)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        if cancel.is_cancelled() {
            return Err(SqliteError::new(target, "restore", SqliteErrorKind::Cancelled));
        }
        let read = source.read(&mut buffer).map_err(|error| SqliteError::io(staging, "read", error))?;
        if read == 0 {
            break;
        }
        copy.write_all(&buffer[..read]).map_err(failed)?;
    }
    copy.as_file().sync_all().map_err(failed)?;
    let renamed = if empty_file { copy.persist(target) } else { copy.persist_noclobber(target) };
    renamed.map_err(|error| failed(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
