//! Commands given as root for a state directory that belongs to another user become that user before they open
//! anything, so that the daemon never finds files it cannot write.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::exit::CliError;

/// Becomes the owner of the state directory; `false`: there was no need. Must be called while the process has only one thread: the kernel's calls
/// are per thread.
pub(super) fn drop_to_owner(state_dir: &Path) -> Result<bool, CliError> {
    if !geteuid().is_root() {
        return Ok(false);
    }
    let Ok(owner) = std::fs::metadata(state_dir) else { return Ok(false) };
    if owner.uid() == 0 {
        return Ok(false);
    }
    let (uid, gid) = (rustix::fs::Uid::from_raw(owner.uid()), rustix::fs::Gid::from_raw(owner.gid()));
    set_thread_groups(&[gid])
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .map(|()| true)
        .map_err(|error| {
            CliError::failed(format!(
                "cannot become the owner of {} (uid {}): {error}",
                state_dir.display(),
                owner.uid()
            ))
        })
}
