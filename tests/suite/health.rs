//! Health: what is looked at, what is found, and how it is told.

mod command;
mod job;
