//! What is said to systemd: readiness, status, the watchdog. Nothing happens where no service manager listens.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::Instant;

/// The service manager's ear.
pub(super) struct Service {
    status: String,
    watchdog: Option<Duration>,
    fed: Option<Instant>,
}

impl Service {
    pub(super) fn new() -> Self {
        Self { status: String::new(), watchdog: sd_notify::watchdog_enabled(), fed: None }
    }

    pub(super) fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// `RELOADING=1` wants the time of its sending; [`Self::ready`] ends it, also after a refused reload.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::debug!(%error, "no monotonic clock for the service manager"),
        }
    }

    pub(super) fn stopping(&mut self, status: &str) {
        tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
        status.clone_into(&mut self.status);
    }

    /// Asks for more time before the service manager kills.
    pub(super) fn extend(&self, by: Duration) {
        tell(&[NotifyState::ExtendTimeoutUsec(u32::try_from(by.as_micros()).unwrap_or(u32::MAX))]);
    }

    /// One useful line for `systemctl status`.
    pub(super) fn status(&mut self, status: String) {
        if status != self.status {
            tell(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }

    /// How long a part of the daemon may take to go round: half of the watchdog's time, or a minute where there is none.
    pub(super) fn patience(&self) -> Duration {
        self.watchdog.map_or(Duration::from_secs(60), |period| period / 2)
    }

    /// Feeds the watchdog. Only called when scheduler and alerts have really advanced.
    pub(super) fn alive(&mut self) {
        let Some(period) = self.watchdog else { return };
        if self.fed.is_none_or(|fed| fed.elapsed() >= period / 4) {
            tell(&[NotifyState::Watchdog]);
            self.fed = Some(Instant::now());
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager does not listen");
    }
}
