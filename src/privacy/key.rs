//! The key of pseudonyms and of the ledger. It lives outside the state store: whoever has only one of the two cannot tell
//! who was erased.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::config::{PrivacyPolicy, SecretError};
use crate::fault::Fault;

/// The least a key must hold, in bytes: half of SHA-256's output, by RFC 2104 the least that does not weaken it.
const LEAST_BYTES: usize = 16;

/// SHA-256's block. <https://www.rfc-editor.org/rfc/rfc2104#section-2>
const BLOCK: usize = 64;

/// A key for HMAC-SHA-256.
#[derive(Clone)]
pub struct HmacKey(SecretString);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("privacy.{policy}: the HMAC key cannot be read")]
    Unreadable {
        /// The policy.
        policy: String,
        /// Why.
        #[source]
        source: SecretError,
    },
    /// It is too short to keep a secret.
    #[error("privacy.{policy}: the HMAC key has {bytes} bytes")]
    Short {
        /// The policy.
        policy: String,
        /// How many it has.
        bytes: usize,
    },
    /// The file cannot be made or read.
    #[error("privacy.{policy}: the HMAC key's file {path} cannot be used")]
    File {
        /// The policy.
        policy: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Fault for KeyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { source, .. } => source.hint(),
            Self::Short { .. } => Some(format!("make one of at least {LEAST_BYTES}: `openssl rand -hex 32`")),
            Self::File { .. } => Some("the state directory must be writable for the user Caretaker runs as".to_owned()),
        }
    }

    fn retryable(&self) -> bool {
        false
    }
}

impl HmacKey {
    /// The policy's key: what the configuration names, else a file in the state directory, made when it is first needed.
    /// Blocks on a small file.
    pub fn of(policy: &PrivacyPolicy, state_dir: &Path) -> Result<Self, KeyError> {
        let name = || policy.name.clone();
        let key = match &policy.key {
            Some(source) => {
                let key = source.read().map_err(|source| KeyError::Unreadable { policy: name(), source })?;
                SecretString::from(key.expose_secret().trim())
            }
            None => {
                let path = state_dir.join("keys").join(format!("privacy.{}.key", policy.name));
                own(&path).map_err(|source| KeyError::File { policy: name(), path, source })?
            }
        };
        match key.expose_secret().len() {
            bytes if bytes < LEAST_BYTES => Err(KeyError::Short { policy: name(), bytes }),
            _ => Ok(Self(key)),
        }
    }

    /// HMAC-SHA-256 of a text, hexadecimal.
    pub fn hash(&self, text: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes()) else {
            unreachable!("HMAC takes keys of any length")
        };
        mac.update(text.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    /// The key as a block XORed with HMAC's inner or outer byte: with these two, HMAC is SHA-256 done twice, which
    /// PostgreSQL can do without an extension. <https://www.rfc-editor.org/rfc/rfc2104#section-2>
    pub fn pads(&self) -> (Vec<u8>, Vec<u8>) {
        use sha2::Digest as _;
        let key = self.0.expose_secret().as_bytes();
        let mut block = match key.len() > BLOCK {
            true => Sha256::digest(key).to_vec(),
            false => key.to_vec(),
        };
        block.resize(BLOCK, 0);
        let with = |pad: u8| block.iter().map(|byte| byte ^ pad).collect();
        (with(0x36), with(0x5c))
    }
}

impl std::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacKey([redacted])")
    }
}

/// The key in this file; if it is missing it is made, of 32 random bytes. Two processes that make it at once agree on one.
fn own(path: &Path) -> std::io::Result<SecretString> {
    let read = || std::fs::read_to_string(path).map(|text| SecretString::from(text.trim()));
    match read() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        read => return read,
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut key = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
    // Such files are for their owner alone.
    let made = tempfile::NamedTempFile::new_in(folder)?;
    made.as_file().write_all(hex::encode(key).as_bytes())?;
    made.as_file().sync_all()?;
    match made.persist_noclobber(path) {
        Ok(_) => std::fs::File::open(folder)?.sync_all()?,
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.error),
    }
    read()
}
