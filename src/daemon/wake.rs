//! The daemon's wake-ups. tokio-cron-scheduler supplies them and nothing else: what is due is decided from the ledger
//! (see [`super::timetable`]), so a late, doubled or missed wake-up can neither lose nor double a run.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// How often the daemon looks at the clock. Schedules have whole seconds.
const EVERY: Duration = Duration::from_secs(1);

/// The wake-ups are planned by the wall clock: when that is set back by an hour, none comes for an hour. So nobody waits
/// for one longer than this, by the clock that only goes forwards.
const AT_THE_LATEST: Duration = Duration::from_secs(2);

/// Wakes its owner every second for as long as it lives.
pub(super) struct Wake {
    notify: Arc<Notify>,
    scheduler: JobScheduler,
    last: Instant,
}

impl Wake {
    /// Starts the wake-ups.
    pub(super) async fn start() -> Result<Self, JobSchedulerError> {
        let notify = Arc::new(Notify::new());
        let scheduler = JobScheduler::new().await?;
        let wake = Arc::clone(&notify);
        scheduler.add(Job::new_repeated(EVERY, move |_, _| wake.notify_one())?).await?;
        scheduler.start().await?;
        Ok(Self { notify, scheduler, last: Instant::now() })
    }

    /// Resolves at the next wake-up; those that came while nobody waited count as one.
    pub(super) async fn woken(&mut self) {
        // A time that has run out is as good a reason to look as any.
        let _ = tokio::time::timeout_at(self.last + AT_THE_LATEST, self.notify.notified()).await;
        self.last = Instant::now();
    }

    /// Ends the wake-ups.
    pub(super) async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!(%error, "the wake-ups did not end cleanly");
        }
    }
}
