//! What a backup is made of: its id, its manifest, and the transformations between plain and stored bytes.

pub mod codec;
pub mod fingerprint;
mod id;
pub mod manifest;

pub use id::{BackupId, BackupIdError};
