//! Heartbeats: addresses of somebody else's watch that are pinged while all is well, so that silence is told too. As
//! <https://healthchecks.io/docs/signaling_success/> has it: `/start` when a run begins, the address itself when it went
//! well, `/fail` when it did not.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::SendError;
use super::channels::Http;
use crate::config::{Heartbeat, Ping};

/// How long one ping may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The pause before the one other attempt.
const PAUSE: Duration = Duration::from_secs(2);

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A run begins.
    Start,
    /// It went well; or the daemon is alive.
    Success,
    /// It did not.
    Fail,
}

/// Pings. Clones share their connections.
#[derive(Clone, Default)]
pub struct Heartbeats {
    /// By the authority that is trusted.
    http: Arc<Mutex<BTreeMap<Option<PathBuf>, Http>>>,
}

impl Heartbeats {
    /// Pings an address; tries once more where that may help. What goes wrong is logged and nothing else: a watch that
    /// is down must not fail a backup.
    ///
    /// `what`: the job, for the log.
    pub async fn ping(&self, ping: &Ping, what: &str, signal: Signal) {
        let mut outcome = self.once(ping, signal).await;
        if let Err(SendError::Temporary { .. }) = outcome {
            tokio::time::sleep(PAUSE).await;
            outcome = self.once(ping, signal).await;
        }
        if let Err(error) = outcome {
            tracing::warn!(job = what, signal = signal.as_str(), %error, "heartbeat not delivered");
        }
    }

    async fn once(&self, ping: &Ping, signal: Signal) -> Result<(), SendError> {
        let http = {
            let mut all = self.http.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(ping.ca_file.clone()).or_insert_with(|| Http::trusting(ping.ca_file.clone())).clone()
        };
        match tokio::time::timeout(TIMEOUT, http.ping(&ping.url, signal.suffix())).await {
            Ok(outcome) => outcome.map(drop),
            Err(_) => Err(SendError::Temporary { message: "no answer in time".to_owned(), retry_after: None }),
        }
    }
}

impl Signal {
    fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Success => "success",
            Self::Fail => "fail",
        }
    }

    /// What is put behind the address.
    fn suffix(self) -> &'static str {
        match self {
            Self::Start => "/start",
            Self::Success => "",
            Self::Fail => "/fail",
        }
    }
}

/// The daemon's own heartbeat. It beats only when the daemon says that its parts have advanced: when they stop, so does
/// it, and the watch at the other end tells.
pub struct DeadMan {
    heartbeats: Heartbeats,
    last: Option<Instant>,
    is_under_way: Arc<AtomicBool>,
}

impl DeadMan {
    /// One that has not beaten yet.
    pub fn new(heartbeats: Heartbeats) -> Self {
        Self { heartbeats, last: None, is_under_way: Arc::default() }
    }

    /// To be called each time that scheduler and outbox have really advanced; pings if it is time. Never waits.
    pub fn advanced(&mut self, settings: Option<&Heartbeat>, tasks: &TaskTracker, cancel: &CancellationToken) {
        let Some(settings) = settings else { return };
        let now = Instant::now();
        let is_due = self.last.is_none_or(|last| now.duration_since(last) >= settings.every);
        // One that hangs is not joined by others.
        if !is_due || self.is_under_way.swap(true, Ordering::AcqRel) {
            return;
        }
        self.last = Some(now);
        let (heartbeats, ping) = (self.heartbeats.clone(), settings.ping.clone());
        let (is_under_way, cancel) = (Arc::clone(&self.is_under_way), cancel.clone());
        tasks.spawn(async move {
            let pinged = heartbeats.ping(&ping, "daemon", Signal::Success);
            let _ = cancel.run_until_cancelled(pinged).await;
            is_under_way.store(false, Ordering::Release);
        });
    }
}
