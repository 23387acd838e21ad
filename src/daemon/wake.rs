//! The daemon's wake-ups. tokio-cron-scheduler supplies them and nothing else: what is due is decided from the ledger
//! (see [`super::timetable`]), so a late, doubled or missed wake-up can neither lose nor double a run.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// How often the daemon looks at the clock. Schedules have whole seconds.
const EVERY: Duration = Duration::from_secs(1);

/// Wakes its owner every second for as long as it lives.
pub(super) struct Wake {
    notify: Arc<Notify>,
    scheduler: JobScheduler,
}

impl Wake {
    /// Starts the wake-ups.
    pub(super) async fn start() -> Result<Self, JobSchedulerError> {
        let notify = Arc::new(Notify::new());
        let scheduler = JobScheduler::new().await?;
        let wake = Arc::clone(&notify);
        scheduler.add(Job::new_repeated(EVERY, move |_, _| wake.notify_one())?).await?;
        scheduler.start().await?;
        Ok(Self { notify, scheduler })
    }

    /// Resolves at the next wake-up; those that came while nobody waited count as one.
    pub(super) async fn woken(&self) {
        self.notify.notified().await;
    }

    /// Ends the wake-ups.
    pub(super) async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!(%error, "the wake-ups did not end cleanly");
        }
    }
}
