//! Every check against the real thing: driven through OK, WARNING and CRITICAL and back.

mod ages;
mod archiving;
mod blind;
mod certificate;
mod conflicts;
mod counters;
mod coverage;
mod disk;
mod migrations;
mod own;
mod pgbouncer;
mod roles;
mod sequences;
mod settings;
mod sqlite;
mod transactions;
mod vacuum;
mod watch;
