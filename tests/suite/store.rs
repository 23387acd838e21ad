//! The stores, through the library: real folders and a real S3 server, with real faults in between.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bucket;
mod directory;
mod faults;
pub mod places;
pub mod proxy;
mod round_trip;
