//! Retention through the command line: what goes, what stays, and what happens when it cannot go.

mod prune;
mod trouble;
