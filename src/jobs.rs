//! The registry of jobs.
