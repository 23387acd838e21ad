//! Names the operator gives: of databases, stores and jobs. They become folder names, object keys, lock files and
//! environment variables, so they are kept to lower-case letters, digits, `_` and `-`.

use std::fmt;
use std::str::FromStr;

/// Why a name is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a name: use 1 to 63 lower-case letters, digits, `_` and `-`, beginning with a letter or digit")]
pub struct NameError(pub String);

fn check(text: &str) -> Result<(), NameError> {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
    if first && rest && text.len() <= 63 { Ok(()) } else { Err(NameError(text.to_owned())) }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of a `[databases.*]` table.
    DatabaseName
);
name!(
    /// The name of a `[stores.*]` table.
    StoreName
);
name!(
    /// The name of a `[channels.*]` table.
    ChannelName
);

/// What a job does; the first half of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    /// `[backup.*]`
    Backup,
    /// `[health.*]`
    Health,
    /// `[privacy.*]`
    Privacy,
}

impl JobKind {
    /// The kind as it stands in job names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Health => "health",
            Self::Privacy => "privacy",
        }
    }
}

/// `kind.name`, after the table of the configuration: `backup.nightly`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName {
    /// What it does.
    pub kind: JobKind,
    /// The table's own name.
    pub name: String,
}

impl JobName {
    /// Names the job of a table; the table's name was checked when the configuration was read.
    pub fn new(kind: JobKind, name: &str) -> Result<Self, NameError> {
        check(name)?;
        Ok(Self { kind, name: name.to_owned() })
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.as_str(), self.name)
    }
}

impl FromStr for JobName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('.') {
            Some(("backup", name)) => Self::new(JobKind::Backup, name),
            Some(("health", name)) => Self::new(JobKind::Health, name),
            Some(("privacy", name)) => Self::new(JobKind::Privacy, name),
            _ => Err(NameError(text.to_owned())),
        }
    }
}
