//! A scheduled run's heartbeat: told of its beginning and its end, never waited for.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::alert::{Heartbeats, Signal};
use crate::config::Ping;
use crate::jobs::Registered;
use crate::run::{Progress, RunReport};
use crate::state::RunState;

/// The heartbeat of one execution; nothing for a job that has none.
pub(super) struct Beat(Option<Pings>);

struct Pings {
    heartbeats: Heartbeats,
    ping: Ping,
    job: String,
    tasks: TaskTracker,
    start: JoinHandle<()>,
}

/// Set when the run has really begun.
type Begun = watch::Sender<Option<Arc<Progress>>>;

impl Beat {
    /// Tells of the beginning as soon as what is returned beside it is set: not of a run that is refused.
    pub fn start(heartbeats: &Heartbeats, job: &Registered, tasks: &TaskTracker) -> (Self, Option<Begun>) {
        let Some(ping) = job.heartbeat.clone() else { return (Self(None), None) };
        let (begun, mut is_begun) = watch::channel(None);
        let start = tasks.spawn({
            let (heartbeats, ping, job) = (heartbeats.clone(), ping.clone(), job.name.clone());
            async move {
                if is_begun.changed().await.is_ok() {
                    heartbeats.ping(&ping, &job, Signal::Start).await;
                }
            }
        });
        let (heartbeats, job, tasks) = (heartbeats.clone(), job.name.clone(), tasks.clone());
        (Self(Some(Pings { heartbeats, ping, job, tasks, start })), Some(begun))
    }

    /// Tells of the end, after the beginning was told. A run that is to be tried again has not ended yet.
    pub fn end(self, report: &RunReport) {
        let Self(Some(Pings { heartbeats, ping, job, tasks, start })) = self else { return };
        if report.run_id.is_none() || report.retry_in.is_some() {
            return;
        }
        let signal = if report.state == RunState::Succeeded { Signal::Success } else { Signal::Fail };
        tasks.spawn(async move {
            // It only fails with the runtime.
            let _ = start.await;
            heartbeats.ping(&ping, &job, signal).await;
        });
    }
}
