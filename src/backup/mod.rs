//! Room backup.

pub mod retention;
