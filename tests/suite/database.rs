//! The databases cared for: connecting, dumping, loading, copying.

#![allow(clippy::unwrap_used)]

mod connect;
mod dump;
mod restore;
mod sqlite;
mod support;
mod tls;
