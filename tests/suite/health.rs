//! Health: what is looked at, what is found, and how it is told.

mod command;
mod job;
mod damage;
mod indexes;
mod looks;
mod performance;
mod replication;
mod schema;
mod sessions;
mod statistics;
