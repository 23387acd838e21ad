//! age's keys: whom backups are encrypted to, and what opens them again.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};

use crate::fault::Fault;

/// Text that is not a key. Never holds the text of a secret one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a public key.
    #[error("`{0}` is not an age public key: {1}")]
    Recipient(String, &'static str),
    /// A secret key where a public one belongs.
    #[error("a secret key stands where a public key belongs")]
    Secret,
    /// Not a secret key.
    #[error("line {line} of the identity file is not an age identity: {reason}")]
    Identity {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing but comments.
    #[error("the identity file holds no identity")]
    NoIdentity,
}

impl Fault for KeyError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Recipient(..) => "`age-keygen` prints the public key, which looks like age1…".to_owned(),
            Self::Secret => {
                "write the public key (`age-keygen -y FILE` prints it); keep the secret one elsewhere, and \
                             make a new pair if others could read this one"
                    .to_owned()
            }
            Self::Identity { .. } | Self::NoIdentity => {
                "the file is the one `age-keygen -o FILE` wrote; its line begins with AGE-SECRET-KEY-1".to_owned()
            }
        })
    }
}

/// An age public key (X25519).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recipient(age::x25519::Recipient);

impl Recipient {
    pub(super) fn as_age(&self) -> &dyn age::Recipient {
        &self.0
    }
}

impl FromStr for Recipient {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.to_ascii_uppercase().contains("AGE-SECRET-KEY-") {
            return Err(KeyError::Secret);
        }
        let wrong = |reason| KeyError::Recipient(text.to_owned(), reason);
        if text.starts_with("ssh-") {
            return Err(wrong("SSH keys are not supported"));
        }
        text.parse().map(Self).map_err(|_| {
            wrong(if !text.starts_with("age1") {
                "it does not begin with age1"
            } else if text[4..].contains('1') {
                "keys of plugins and post-quantum keys are not supported"
            } else {
                "its checksum or length is wrong"
            })
        })
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The secret keys that open backups.
#[derive(Clone, Default)]
pub struct Identities(Vec<age::x25519::Identity>);

impl Identities {
    /// No key, for what is not encrypted.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads the text of an identity file: a key per line, empty lines, `#` comments.
    pub fn parse(file: &SecretString) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (index, line) in file.expose_secret().lines().enumerate() {
            let key = line.trim();
            if key.is_empty() || key.starts_with('#') {
                continue;
            }
            keys.push(key.parse().map_err(|_| KeyError::Identity { line: index + 1, reason: reason(key) })?);
        }
        if keys.is_empty() { Err(KeyError::NoIdentity) } else { Ok(Self(keys)) }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The public keys of these, by which backups are encrypted to them.
    pub fn recipients(&self) -> Vec<Recipient> {
        self.0.iter().map(|key| Recipient(key.to_public())).collect()
    }

    pub(super) fn as_age(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|key| key as &dyn age::Identity)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({} redacted)", self.0.len())
    }
}

fn reason(key: &str) -> &'static str {
    if key.starts_with("age1") {
        "it is a public key"
    } else if key.starts_with("age-encryption.org/") || key.starts_with("-----BEGIN AGE") {
        "the file is itself encrypted; decrypt it with `age -d` first"
    } else if key.starts_with("-----BEGIN") {
        "SSH keys are not supported"
    } else if key.starts_with("AGE-PLUGIN-") {
        "plugins are not supported"
    } else if key.starts_with("AGE-SECRET-KEY-1") {
        "its checksum or length is wrong"
    } else {
        "it does not begin with AGE-SECRET-KEY-1"
    }
}
