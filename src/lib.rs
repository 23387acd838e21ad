//! Caretaker looks after PostgreSQL and SQLite databases at night.
//!
//! The map of the house, from the ground up. Imports only ever go down.
//!
//! | floor | rooms |
//! |---|---|
//! | 0 | [`fault`]: what every error can say about itself; [`units`]: figures for people |
//! | 1 | [`schedule`]: when; [`config`]: what the operator wrote |
//! | 2 | [`state`]: what is remembered; [`database`]: what is cared for; [`store`]: where copies live; [`archive`]: what a backup is made of |
//! | 3 | [`run`]: one execution of a job; [`anchor`]: the disposition log, known elsewhere; [`records`]: rows archived before they went |
//! | 4 | [`backup`]: plan, dump, archive, prune; [`health`]: checks; [`alert`]: incidents, outbox, channels |
//! | 5 | [`privacy`]: what must go, what is held |
//! | 6 | [`restore`]: download, verify, load, compare |
//! | 7 | [`jobs`], [`daemon`], [`cli`] |

pub mod alert;
pub mod anchor;
pub mod archive;
pub mod backup;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod database;
pub mod fault;
pub mod health;
pub mod jobs;
pub mod privacy;
pub mod records;
pub mod restore;
pub mod run;
pub mod schedule;
pub mod state;
pub mod store;
pub mod units;
