//! The daemon's end: the signals that ask for it, and how the runs come to theirs.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout};

use super::life::Life;
use crate::units::counted;

/// How long cancelled runs may take to clean up.
const CLEAN_UP: Duration = Duration::from_secs(75);

/// How often the service manager hears that the end is still being worked on.
const BREATH: Duration = Duration::from_secs(2);

/// SIGTERM and SIGINT.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub(super) fn listen() -> Result<Self, std::io::Error> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl Life {
    /// Lets the runs finish, then cancels them. A second signal shortens it.
    pub(super) async fn drain(&mut self, stop: &mut StopSignals) {
        let running = self.queue.running().len();
        self.service.stopping(&format!("stopping, {} to finish", counted(running, "run", "runs")));
        tracing::info!(running, "stopping");
        self.tasks.close();
        self.finished_rx.close();
        self.wanted.stop();
        let until = Instant::now() + self.config.daemon.drain_timeout;
        loop {
            self.service.extend(Duration::from_secs(30));
            self.service.alive();
            tokio::select! {
                () = self.tasks.wait() => return,
                () = stop.received() => {
                    tracing::warn!("asked again to stop: cancelling the runs");
                    break;
                }
                () = tokio::time::sleep_until(until.min(Instant::now() + BREATH)) => {
                    if Instant::now() >= until {
                        tracing::warn!("the runs did not finish in time: cancelling them");
                        break;
                    }
                }
            }
        }
        self.service.extend(CLEAN_UP + Duration::from_secs(15));
        self.cancel.cancel();
        if timeout(CLEAN_UP, self.tasks.wait()).await.is_err() {
            tracing::error!("some runs did not clean up; the next start will");
        }
    }
}
