//! Caretaker's tests: one binary, one module per capability.

mod archive;
mod config;
mod store;
