//! Backups verified and restored through the binary.

mod postgres;
mod sqlite;
mod verify;
