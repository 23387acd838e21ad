//! Privacy: what must go from a database, when, and what erasing a person means there.

pub mod dialect;
pub mod fragment;
pub mod ground;
pub mod key;
mod names;
