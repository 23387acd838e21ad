//! Caretaker's tests: one binary, one module per capability.

mod database;
