//! Where a secret comes from. The secret itself is never part of the configuration, so it cannot leak with it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// Where a secret is read from, each time it is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// `*_file = "…"`; one trailing newline is cut.
    File(PathBuf),
    /// `credential = "name"`: `$CREDENTIALS_DIRECTORY/name`, else `/etc/caretaker/credentials/name`.
    Credential(String),
    /// `url_file = "…"`: the password of the URL in that file.
    UrlFile(PathBuf),
    /// A password that stood in a URL. Kept out of `Debug` output by [`secrecy`], and never written.
    #[serde(skip)]
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
    /// The file is empty.
    #[error("the secret file {path} is empty")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file does not hold a URL with a password, as it did when the configuration was read.
    #[error("the URL in {path} has no password")]
    NoPassword {
        /// The file.
        path: PathBuf,
    },
}

impl Fault for SecretError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                "let the user that Caretaker runs as read it, and nobody else".to_owned()
            }
            Self::Read { .. } => "create it, or correct its name in the configuration".to_owned(),
            Self::NotText { .. } => "it must hold the secret as UTF-8 text and nothing else".to_owned(),
            Self::Empty { .. } | Self::NoPassword { .. } => "write the secret into it".to_owned(),
        })
    }

    /// A secret being replaced may be missing for a moment, but the attempt as a whole is retried anyway when the
    /// connection fails; a wrong path is not cured by waiting.
    fn retryable(&self) -> bool {
        false
    }
}
