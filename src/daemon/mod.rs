//! The life of the process: start, schedule, dispatch, reload, drain.

mod life;
mod queue;
mod service;
mod timetable;
mod wake;

pub use life::{DaemonError, Loader, run};
