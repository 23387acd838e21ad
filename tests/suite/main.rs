//! Caretaker's tests: one binary, one module per capability. `make test` runs them with the servers they need.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod alert;
mod archive;
mod backup;
mod channels;
mod clock;
mod config;
mod crash;
mod daemon;
mod database;
mod demo;
mod documents;
mod faults;
mod health;
mod load;
mod packaging;
mod privacy;
mod restore;
mod retention;
mod scheduling;
mod state;
mod status;
mod stop;
mod store;
mod support;
mod systemd;
