//! Privacy: what must go from a database and when, what is held, and the log of it.
//!
//! A policy is resolved against the live schema into SQL ([`plan`]), and applied rule by rule in short transactions
//! ([`apply`]). A person is erased wherever the policy says that they stand ([`erase`]);
//! applications ask for it in a queue ([`queue`]).
//! What was done can be shown to others ([`certificate`]). What PostgreSQL and SQLite say differently is in [`dialect`],
//! how they are worked on in [`ground`].

pub mod apply;
pub mod approval;
pub mod certificate;
mod change;
pub mod coverage;
pub mod dialect;
pub mod erase;
pub mod export;
pub mod fragment;
pub mod ground;
pub mod hold;
mod job;
pub mod key;
mod names;
mod partition;
pub mod plan;
pub mod policy;
mod precondition;
pub mod queue;
pub mod replay;
pub mod session;
pub mod show;

pub use job::Job;
