//! Where a secret comes from. The secret itself is never part of the configuration, so it cannot leak with it.

use std::path::PathBuf;

/// Where a secret is read from, each time it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// `*_file = "…"`; one trailing newline is cut.
    File(PathBuf),
    /// `credential = "name"`: `$CREDENTIALS_DIRECTORY/name`, else `/etc/caretaker/credentials/name`.
    Credential(String),
    /// A password that stood in a URL. Kept out of `Debug` output by [`secrecy`].
    Inline(Redacted),
}

/// A secret held in memory; prints as `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted(pub(crate) String);

impl std::fmt::Debug for Redacted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file is missing or not readable.
    #[error("cannot read the secret file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not UTF-8 text.
    #[error("the secret file {path} is not text")]
    NotText {
        /// The file.
        path: PathBuf,
    },
}
