//! The key of pseudonyms and of the ledger. It lives outside the state store: whoever has only one of the two cannot tell
//! who was erased.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::config::{PrivacyPolicy, SecretError, SecretSource};
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
        source: io::Error,
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
        match &policy.key {
            Some(source) => Self::named(policy, source),
            None => Self::in_file(policy, &file(policy, state_dir), own),
        }
    }

    /// The policy's key, if there is one yet. Blocks on a small file.
    pub fn existing(policy: &PrivacyPolicy, state_dir: &Path) -> Result<Option<Self>, KeyError> {
        match policy.key.is_none() && !file(policy, state_dir).exists() {
            true => Ok(None),
            false => Self::of(policy, state_dir).map(Some),
        }
    }

    /// A key that nobody knows and that is forgotten: with it a plan can be made before there is one.
    pub fn passing() -> Self {
        Self(SecretString::from(format!("{}{}", uuid::Uuid::new_v4(), uuid::Uuid::new_v4())))
    }

    /// Makes this the policy's key, where it has none and the configuration names none. Blocks on a small file.
    pub fn install(&self, policy: &PrivacyPolicy, state_dir: &Path) -> Result<(), KeyError> {
        let path = file(policy, state_dir);
        if policy.key.is_some() || path.exists() {
            return Ok(());
        }
        let put = |path: &Path| write_new(path, self.0.expose_secret().as_bytes()).and_then(|()| read(path));
        Self::in_file(policy, &path, put).map(drop)
    }

    fn named(policy: &PrivacyPolicy, source: &SecretSource) -> Result<Self, KeyError> {
        let key = source.read().map_err(|source| KeyError::Unreadable { policy: policy.name.clone(), source })?;
        Self::long_enough(policy, SecretString::from(key.expose_secret().trim()))
    }

    fn in_file(
        policy: &PrivacyPolicy,
        path: &Path,
        get: impl FnOnce(&Path) -> io::Result<SecretString>,
    ) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { policy: policy.name.clone(), path: path.to_owned(), source };
        Self::long_enough(policy, get(path).map_err(failed)?)
    }

    fn long_enough(policy: &PrivacyPolicy, key: SecretString) -> Result<Self, KeyError> {
        match key.expose_secret().len() {
            bytes if bytes < LEAST_BYTES => Err(KeyError::Short { policy: policy.name.clone(), bytes }),
            _ => Ok(Self(key)),
        }
    }

    /// The key itself, to be encrypted.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The key that this text is, as it was escrowed.
    pub fn parse(text: &str) -> Option<Self> {
        let key = text.trim();
        (key.len() >= LEAST_BYTES).then(|| Self(SecretString::from(key)))
    }

    /// Which key it is, without telling it: the beginning of what it makes of a fixed text.
    pub fn id(&self) -> String {
        self.hash("caretaker key id")[..16].to_owned()
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

/// Where the key is that the configuration does not name.
fn file(policy: &PrivacyPolicy, state_dir: &Path) -> PathBuf {
    state_dir.join("keys").join(format!("privacy.{}.key", policy.name))
}

fn read(path: &Path) -> io::Result<SecretString> {
    std::fs::read_to_string(path).map(|text| SecretString::from(text.trim()))
}

/// The key in this file; if it is missing it is made, of 32 random bytes. Two processes that make it at once agree on one.
fn own(path: &Path) -> io::Result<SecretString> {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    let mut key = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
    write_new(path, hex::encode(key).as_bytes())?;
    read(path)
}

/// Writes the file unless it is there; it is for its owner alone.
fn write_new(path: &Path, key: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let made = tempfile::NamedTempFile::new_in(folder)?;
    made.as_file().write_all(key)?;
    made.as_file().sync_all()?;
    match made.persist_noclobber(path) {
        Ok(_) => std::fs::File::open(folder)?.sync_all(),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}
