//! The alert engine in the daemon's life: it begins with it, and ends after the last run.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::service::Service;
use crate::alert::{Alerting, Beats};
use crate::config::Config;
use crate::state::State;

/// How long it may take to come to its end.
const END_WITHIN: Duration = Duration::from_secs(15);

/// The engine's task, and what is known of it.
pub(super) struct Alerts {
    config: watch::Sender<Arc<Config>>,
    cancel: CancellationToken,
    tasks: TaskTracker,
    beats: Beats,
    waiting: Option<Alerting>,
}

impl Alerts {
    /// One that does not work yet.
    pub fn new(state: State, config: Arc<Config>) -> Self {
        let (config, followed) = watch::channel(config);
        let cancel = CancellationToken::new();
        let alerting = Alerting::new(state, followed, cancel.clone());
        Self { config, cancel, tasks: TaskTracker::new(), beats: alerting.beats(), waiting: Some(alerting) }
    }

    /// Begins.
    pub fn start(&mut self) {
        if let Some(alerting) = self.waiting.take() {
            self.tasks.spawn(alerting.run());
        }
    }

    /// Goes by another configuration from now on.
    pub fn configure(&self, config: Arc<Config>) {
        self.config.send_replace(config);
    }

    /// Whether engine and outbox have both gone round within a time.
    pub fn are_alive(&self, within: Duration) -> bool {
        self.waiting.is_some() || self.beats.are_fresh(within)
    }

    /// Ends, after a last look at what the last runs have come to.
    pub async fn stop(&self, service: &Service) {
        service.extend(END_WITHIN + Duration::from_secs(5));
        self.cancel.cancel();
        self.tasks.close();
        if timeout(END_WITHIN, self.tasks.wait()).await.is_err() {
            tracing::error!("the alert engine did not end in time; nothing that waits is lost");
        }
    }
}
