//! The alert engine at work in the daemon.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::channels::channels;
use super::digest;
use super::outbox::{Channels, Outbox};
use super::step::{Recipients, step};
use crate::config::Config;
use crate::fault::chain;
use crate::state::{State, StateError};

/// How often the engine looks.
const EVERY: Duration = Duration::from_secs(1);

/// How often what is long over is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(24 * 3600);
const KEEP_NOTIFICATIONS: SignedDuration = SignedDuration::from_hours(30 * 24);
const KEEP_INCIDENTS: SignedDuration = SignedDuration::from_hours(400 * 24);

/// When a loop last went round.
#[derive(Debug, Clone)]
pub(super) struct Beat(watch::Sender<Instant>);

impl Beat {
    fn new() -> Self {
        Self(watch::Sender::new(Instant::now()))
    }

    /// It goes round now.
    pub fn now(&self) {
        self.0.send_replace(Instant::now());
    }
}

/// Whether the engine and the outbox advance.
#[derive(Debug, Clone)]
pub struct Beats {
    engine: Beat,
    outbox: Beat,
}

impl Beats {
    /// Whether both have gone round within a time.
    pub fn are_fresh(&self, within: Duration) -> bool {
        [&self.engine, &self.outbox].iter().all(|beat| beat.0.borrow().elapsed() <= within)
    }
}

/// The alert engine and its outbox.
pub struct Alerting {
    state: State,
    config: watch::Receiver<Arc<Config>>,
    cancel: CancellationToken,
    beats: Beats,
}

impl Alerting {
    /// What goes by the newest configuration, until it is cancelled.
    pub fn new(state: State, config: watch::Receiver<Arc<Config>>, cancel: CancellationToken) -> Self {
        Self { state, config, cancel, beats: Beats { engine: Beat::new(), outbox: Beat::new() } }
    }

    /// Whether it advances.
    pub fn beats(&self) -> Beats {
        self.beats.clone()
    }

    /// Observes, decides and delivers. At the end it looks once more, so that what was found last waits in the outbox for
    /// the next start.
    pub async fn run(mut self) {
        let first: Channels = Arc::new(channels(&self.config.borrow_and_update()));
        let (opened, followed) = watch::channel(first);
        let wake = Arc::new(Notify::new());
        let outbox = Outbox {
            state: self.state.clone(),
            channels: followed,
            wake: Arc::clone(&wake),
            beat: self.beats.outbox.clone(),
            cancel: self.cancel.clone(),
        };
        tokio::join!(outbox.run(), self.decide(opened, wake));
    }

    async fn decide(mut self, opened: watch::Sender<Channels>, wake: Arc<Notify>) {
        let mut forgotten: Option<Instant> = None;
        let mut last_error = None;
        loop {
            if self.config.has_changed().unwrap_or(false) {
                opened.send_replace(Arc::new(channels(&self.config.borrow_and_update())));
            }
            let config = Arc::clone(&self.config.borrow());
            let recipients = recipients(&opened.borrow());
            match self.advance(&config, &recipients, &wake).await {
                Ok(()) => {
                    last_error = None;
                    self.beats.engine.now();
                }
                Err(error) => {
                    let error = Some(chain(&error));
                    if error != last_error {
                        // Nothing is lost: what was observed waits.
                        tracing::error!(error = error.as_deref(), "incidents cannot be advanced");
                    }
                    last_error = error;
                }
            }
            if self.cancel.is_cancelled() {
                return;
            }
            if forgotten.is_none_or(|at| at.elapsed() >= FORGET_EVERY) {
                forgotten = Some(Instant::now());
                self.forget().await;
            }
            let _ = self.cancel.run_until_cancelled(tokio::time::sleep(EVERY)).await;
        }
    }

    async fn advance(&self, config: &Config, recipients: &Recipients, wake: &Notify) -> Result<(), StateError> {
        loop {
            let now = Timestamp::now();
            let timed = digest::timed(&self.state, config, now).await?;
            let advanced = step(&self.state, config, recipients, &timed, now).await?;
            if advanced.queued > 0 {
                wake.notify_one();
            }
            if !advanced.more {
                return Ok(());
            }
        }
    }

    async fn forget(&self) {
        let now = Timestamp::now();
        let before = |span| now.checked_sub(span).unwrap_or(Timestamp::MIN);
        if let Err(error) = self.state.forget_alerts(before(KEEP_NOTIFICATIONS), before(KEEP_INCIDENTS)).await {
            tracing::warn!(error = %chain(&error), "old notifications are not forgotten yet");
        }
    }
}

/// To whom the channels lead.
pub(super) fn recipients(channels: &Channels) -> Recipients {
    channels.iter().map(|(name, channel)| (name.to_string(), channel.recipients())).collect()
}
