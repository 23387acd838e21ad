//! `20261120T020000Z-3f9c1a`: when a backup began, in UTC, and six hex digits against collisions.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

/// A backup's id. Ids of one database sort by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackupId(String);

/// Not a backup id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a backup id, which looks like 20261120T020000Z-3f9c1a")]
pub struct BackupIdError(pub String);

impl BackupId {
    /// A new id for a backup that begins now.
    pub fn new(started: Timestamp) -> Self {
        let random = &uuid::Uuid::now_v7().into_bytes()[13..];
        Self(format!("{}-{}", started.strftime("%Y%m%dT%H%M%SZ"), hex::encode(random)))
    }

    /// The id as text; safe as a folder name and in a key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BackupId {
    type Err = BackupIdError;
    fn from_str(text: &str) -> Result<Self, BackupIdError> {
        let wrong = || BackupIdError(text.to_owned());
        let (time, random) = text.split_once('-').ok_or_else(wrong)?;
        jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time).map_err(|_| wrong())?;
        let is_hex = random.len() == 6 && random.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if is_hex { Ok(Self(text.to_owned())) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for BackupId {
    type Error = BackupIdError;
    fn try_from(text: String) -> Result<Self, BackupIdError> {
        text.parse()
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> Self {
        id.0
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
