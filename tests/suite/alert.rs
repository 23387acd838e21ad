//! Incidents and what people are told of them, through the daemon.

mod commands;
mod delivery;
mod digest;
mod jobs;
