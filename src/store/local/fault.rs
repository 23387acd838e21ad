//! What the system's errors mean for a directory store.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::super::{StoreError, StoreErrorKind};
use crate::config::StoreName;

/// The error of a directory store. Objects that are not there are reported otherwise, so what is missing is the root.
pub fn local_error(
    store: &StoreName,
    root: &Path,
    operation: &'static str,
    object: &Path,
    error: io::Error,
) -> StoreError {
    let mut error = io_error(store, operation, object.display().to_string(), error);
    if error.kind == StoreErrorKind::Missing {
        error.object = root.display().to_string();
    }
    error
}

/// A store's error for what the system said. The kind holds the system's text where it says more than the kind does.
pub fn io_error(store: &StoreName, operation: &'static str, object: impl Into<String>, error: io::Error) -> StoreError {
    let kind = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOSPC | Errno::DQUOT) => StoreErrorKind::Full,
        Some(Errno::ROFS) => StoreErrorKind::ReadOnly,
        Some(Errno::NOENT) => StoreErrorKind::Missing,
        Some(Errno::ACCESS | Errno::PERM) => StoreErrorKind::Denied(error.to_string()),
        // A network file system whose server is away, and a removed disk.
        Some(
            Errno::STALE
            | Errno::TIMEDOUT
            | Errno::NOTCONN
            | Errno::CONNRESET
            | Errno::CONNREFUSED
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::NODEV
            | Errno::NXIO
            | Errno::IO,
        ) => StoreErrorKind::Unavailable(error.to_string()),
        _ if error.kind() == io::ErrorKind::NotFound => StoreErrorKind::Missing,
        _ => StoreErrorKind::Other(error.to_string()),
    };
    StoreError { store: store.clone(), operation, object: object.into(), kind, source: Some(Box::new(error)) }
}
