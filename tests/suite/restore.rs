//! Backups verified and restored through the binary.

mod copies;
mod postgres;
mod sqlite;
mod verify;
