//! Where a secret comes from. The secret itself is never part of the configuration, so it cannot leak with it.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

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

impl SecretSource {
    /// Reads the secret anew.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::File(path) => read_file(path),
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY")
                    .map_or_else(|| PathBuf::from("/etc/caretaker/credentials"), PathBuf::from);
                read_file(&folder.join(name))
            }
            Self::Inline(Redacted(text)) => Ok(SecretString::from(text.clone())),
        }
    }
}

fn read_file(path: &Path) -> Result<SecretString, SecretError> {
    let bytes = std::fs::read(path).map_err(|source| SecretError::Read { path: path.to_owned(), source })?;
    let text = String::from_utf8(bytes).map_err(|_| SecretError::NotText { path: path.to_owned() })?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(SecretString::from(text.strip_suffix('\r').unwrap_or(text)))
}
