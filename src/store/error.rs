//! What can go wrong with a store.

use crate::config::StoreName;
use crate::fault::Fault;

/// An operation on a store that failed.
#[derive(Debug, thiserror::Error)]
#[error("store {store}: {operation} {object}: {kind}")]
pub struct StoreError {
    /// The store.
    pub store: StoreName,
    /// What was being done: `write`, `read`, `list`, …
    pub operation: &'static str,
    /// The key, path or bucket it was done to.
    pub object: String,
    /// What happened.
    pub kind: StoreErrorKind,
    /// The library's or system's own error, without secrets.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What happened to an operation on a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreErrorKind {
    /// `ENOSPC`, `EDQUOT`, or a service's quota.
    #[error("no space left")]
    Full,
    /// `EROFS`, or a policy that denies writing.
    #[error("read-only")]
    ReadOnly,
    /// The directory or bucket is not there.
    #[error("it does not exist")]
    Missing,
    /// The directory or bucket is there, the object is not.
    #[error("there is no such object")]
    NoObject,
    /// Permissions, wrong keys, a policy.
    #[error("permission denied: {0}")]
    Denied(String),
    /// A refused or cut connection, a time-out, a 5xx or throttling answer.
    #[error("{0}")]
    Unavailable(String),
    /// The store does not hold what was sent: size, checksum.
    #[error("the store does not hold what was sent: {0}")]
    Mismatch(String),
    /// Nothing moved for too long.
    #[error("no byte taken for {0} s")]
    Stalled(u64),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl StoreError {
    /// The error behind a failed read from an [`ObjectReader`](super::ObjectReader): the store's own where the reader
    /// carried it, else what the system said.
    pub fn from_read(store: &StoreName, object: impl Into<String>, error: std::io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) => super::local::io_error(store, "read", object, error),
        }
    }

    /// This error, carried through an [`AsyncRead`](tokio::io::AsyncRead); [`Self::from_read`] takes it out again.
    pub(super) fn into_io(self) -> std::io::Error {
        std::io::Error::other(self)
    }
}

impl Fault for StoreError {
    fn hint(&self) -> Option<String> {
        Some(match &self.kind {
            StoreErrorKind::Full => "free space, lower the retention, or add a store".to_owned(),
            StoreErrorKind::ReadOnly => {
                "remount it writable; under systemd, its path must be in ReadWritePaths=".to_owned()
            }
            StoreErrorKind::Missing => "create it, or correct its name in the configuration".to_owned(),
            StoreErrorKind::Denied(_) => {
                "check owner and mode of the directory, or the keys and the policy of the bucket; \
                 `caretaker config check --online` tries each step"
                    .to_owned()
            }
            StoreErrorKind::Mismatch(_) => {
                "the service or something before it changes or loses data: do not trust it before this is explained"
                    .to_owned()
            }
            StoreErrorKind::NoObject
            | StoreErrorKind::Unavailable(_)
            | StoreErrorKind::Stalled(_)
            | StoreErrorKind::Other(_) => return None,
        })
    }

    fn retryable(&self) -> bool {
        matches!(
            self.kind,
            StoreErrorKind::Full
                | StoreErrorKind::Unavailable(_)
                | StoreErrorKind::Stalled(_)
                | StoreErrorKind::Mismatch(_)
        )
    }
}
