//! Privacy: what must go from a database, when, and what erasing a person means there.

mod change;
pub mod dialect;
pub mod fragment;
pub mod ground;
pub mod key;
mod names;
pub mod plan;
pub mod policy;
