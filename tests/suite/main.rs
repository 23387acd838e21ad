//! Caretaker's tests: one binary, one module per capability. `make test` runs them with the servers they need.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod archive;
mod backup;
mod config;
mod database;
mod documents;
mod faults;
mod packaging;
mod restore;
mod retention;
mod store;
mod support;
mod systemd;
