//! What goes wrong at night: each fault ends in a clear message, the right exit code, and nothing half-written.

mod between;
pub mod disk;
mod dump;
mod heal;
mod s3;
mod tools;
