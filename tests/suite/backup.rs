//! Backups through the binary, their artefacts read by stock tools.

mod access;
mod awkward;
mod by_hand;
pub mod codecs;
mod layout;
mod majors;
mod segments;
mod sqlite;
