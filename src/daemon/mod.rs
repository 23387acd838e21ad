//! The life of the process: start, schedule, dispatch, reload, drain.

mod alerts;
mod beat;
mod dispatch;
mod life;
mod queue;
mod reload;
mod service;
mod stop;
mod timetable;
mod wake;
mod wanted;

#[cfg(test)]
mod tests;

pub use life::{DaemonError, Loader, run};
