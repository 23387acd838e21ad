//! What the fingerprint must be, and what it must never do.
#![allow(clippy::unwrap_used)]

mod archives;
mod rows;
mod written;
