//! Why a backup's bytes could not be had: very different things.

use crate::archive::codec::CodecError;
use crate::run::Failure;
use crate::store::{StoreError, StoreErrorKind};

/// Why a backup's bytes could not be had.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// They were had, and are not those of the manifest: this copy is bad.
    Bad(Failure),
    /// They were not had because the store did not give them. That says nothing about the copy, and another store may.
    Unreachable(Failure),
    /// They were not had for a reason that no other copy cures: a key or a tool is missing, this machine has no space.
    Unseen(Failure),
}

impl Trouble {
    /// A finding about the copy.
    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::Bad(Failure::new(text))
    }

    /// What is told of it.
    pub fn failure(self) -> Failure {
        match self {
            Self::Bad(failure) | Self::Unreachable(failure) | Self::Unseen(failure) => failure,
        }
    }

    /// With what is told of it changed.
    pub(super) fn map(self, change: impl FnOnce(Failure) -> Failure) -> Self {
        match self {
            Self::Bad(failure) => Self::Bad(change(failure)),
            Self::Unreachable(failure) => Self::Unreachable(change(failure)),
            Self::Unseen(failure) => Self::Unseen(change(failure)),
        }
    }
}

impl<T: Into<Failure>> From<T> for Trouble {
    fn from(error: T) -> Self {
        Self::Unseen(error.into())
    }
}

/// What a store's error says of the copy: an object that is gone, shorter or longer is a bad copy.
pub(super) fn of_store(error: StoreError) -> Trouble {
    match error.kind {
        StoreErrorKind::NoObject | StoreErrorKind::Mismatch(_) => Trouble::Bad(error.into()),
        _ => Trouble::Unreachable(error.into()),
    }
}

/// What a decoder's error says of the copy.
pub(super) fn of_codec(error: CodecError) -> Trouble {
    match error {
        CodecError::NotEncrypted | CodecError::Truncated { .. } | CodecError::Damaged { .. } => {
            Trouble::Bad(error.into())
        }
        CodecError::Read(source) => match source.downcast::<StoreError>() {
            Ok(error) => of_store(error),
            Err(source) => Trouble::Unseen(CodecError::Read(source).into()),
        },
        CodecError::NoIdentity | CodecError::WrongIdentity { .. } => Trouble::Unseen(error.into()),
    }
}
