//! What can go wrong with stored bytes.

use std::io;

use crate::fault::Fault;

/// Stored bytes that cannot be turned into plain ones.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// It is encrypted and there is no identity to open it.
    #[error("the object is encrypted and no identity was given")]
    NoIdentity,
    /// It is encrypted to other keys.
    #[error("the object is encrypted, and none of the {identities} identities given can open it")]
    WrongIdentity {
        /// How many were tried.
        identities: usize,
    },
    /// It should be encrypted and does not begin like a file of age.
    #[error("the object should be encrypted with age and is not")]
    NotEncrypted,
    /// It ends too early.
    #[error("the object ends in mid-stream ({format}, after {stored_bytes} stored bytes)")]
    Truncated {
        /// The format that misses its end: `zstd`, `gzip`, `age`.
        format: &'static str,
        /// How many bytes there were.
        stored_bytes: u64,
    },
    /// It is not what was written.
    #[error("the object is damaged ({format}, within the first {stored_bytes} stored bytes)")]
    Damaged {
        /// The format that does not hold.
        format: &'static str,
        /// How many bytes had been read when it was noticed.
        stored_bytes: u64,
        /// The library's error.
        #[source]
        source: io::Error,
    },
    /// The source of the stored bytes failed.
    #[error("reading the stored bytes failed")]
    Read(#[source] io::Error),
}

impl CodecError {
    /// The error inside an [`io::Error`] that a [`super::Decoder`] gave; `None`: the source of the bytes failed.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<CodecError> for io::Error {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::Read(source) => source,
            CodecError::Truncated { .. } => Self::new(io::ErrorKind::UnexpectedEof, error),
            _ => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

impl Fault for CodecError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoIdentity | Self::WrongIdentity { .. } => {
                "give the identity file (`AGE-SECRET-KEY-1…`) of one of the keys in the manifest's `encrypted_to`"
                    .to_owned()
            }
            Self::NotEncrypted | Self::Truncated { .. } | Self::Damaged { .. } => {
                "use the copy in another store, or another backup, and find out what changed this one".to_owned()
            }
            Self::Read(_) => return None,
        })
    }

    fn retryable(&self) -> bool {
        matches!(self, Self::Read(_))
    }
}
