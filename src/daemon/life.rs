//! The daemon from its start to its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::alerts::Alerts;
use super::queue::{Queue, Waiting};
use super::service::Service;
use super::stop::StopSignals;
use super::timetable::Timetable;
use super::wake::Wake;
use super::wanted::Wanted;
use crate::alert::{DeadMan, Heartbeats};
use crate::config::Config;
use crate::fault::chain;
use crate::jobs::{Registered, registry};
use crate::run::{Attempts, Lease, LeaseError, RunReport};
use crate::state::{Abandoned, State, StateError};

/// Why the daemon does not start, or ends.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DaemonError {
    #[error("another daemon works on this state directory")]
    Second(#[source] LeaseError),
    #[error(transparent)]
    Lease(LeaseError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
    #[error("cannot start the wake-ups")]
    Wake(#[source] tokio_cron_scheduler::JobSchedulerError),
}

/// Reads the configuration again; an error is its text for people.
pub type Loader = Box<dyn Fn() -> Result<Config, String> + Send>;

/// What the daemon listens for.
struct Signals {
    stop: StopSignals,
    hangup: Signal,
}

/// Runs until SIGTERM or SIGINT.
pub async fn run(config: Config, load: Loader) -> Result<(), DaemonError> {
    // Before anybody can know of this process and send it one: what nobody listens for ends it.
    let stop = StopSignals::listen().map_err(DaemonError::Signals)?;
    let hangup = signal(SignalKind::hangup()).map_err(DaemonError::Signals)?;
    let state_dir = config.daemon.state_dir.clone();
    let state = State::open(&state_dir).await?;
    let lock = Lease::acquire_watched(&state_dir, "daemon", Timestamp::now()).await;
    let lock = lock.map_err(|error| match error {
        LeaseError::Busy { .. } => DaemonError::Second(error),
        LeaseError::Io { .. } => DaemonError::Lease(error),
    })?;
    state.check().await?;
    let mut life = Life::new(Arc::new(config), load, state).await?;
    let ended = life.live(Signals { stop, hangup }).await;
    life.state.close().await;
    drop(lock);
    ended
}

/// What a run's task reports when it ends.
pub(super) struct Finished {
    pub slot: Waiting,
    pub report: RunReport,
}

/// The daemon: its parts, and how its days go. What it does with slots, with a new configuration and at its end stands in
/// [`super::dispatch`], [`super::reload`] and [`super::stop`].
pub(super) struct Life {
    pub(super) config: Arc<Config>,
    pub(super) load: Loader,
    pub(super) state: State,
    pub(super) jobs: BTreeMap<String, Registered>,
    pub(super) timetable: Timetable,
    pub(super) queue: Queue,
    pub(super) wanted: Wanted,
    pub(super) service: Service,
    pub(super) tasks: TaskTracker,
    pub(super) cancel: CancellationToken,
    pub(super) finished_tx: mpsc::Sender<Finished>,
    pub(super) finished_rx: mpsc::Receiver<Finished>,
    /// Slots that will not be run and are not settled yet.
    pub(super) passed_over: Vec<Abandoned>,
    pub(super) heartbeats: Heartbeats,
    dead_man: DeadMan,
    pub(super) alerts: Alerts,
}

impl Life {
    async fn new(config: Arc<Config>, load: Loader, state: State) -> Result<Self, DaemonError> {
        let jobs = registry(&config);
        let timetable = Timetable::new(&jobs, &state, Timestamp::now()).await?;
        let (finished_tx, finished_rx) = mpsc::channel(64);
        let heartbeats = Heartbeats::default();
        let alerts = Alerts::new(state.clone(), Arc::clone(&config));
        Ok(Self {
            alerts,
            config,
            load,
            state,
            jobs: jobs.into_iter().map(|job| (job.name.clone(), job)).collect(),
            timetable,
            queue: Queue::default(),
            wanted: Wanted::default(),
            passed_over: Vec::new(),
            service: Service::new(),
            tasks: TaskTracker::new(),
            cancel: CancellationToken::new(),
            finished_tx,
            finished_rx,
            dead_man: DeadMan::new(heartbeats.clone()),
            heartbeats,
        })
    }

    async fn live(&mut self, signals: Signals) -> Result<(), DaemonError> {
        let Signals { mut stop, mut hangup } = signals;
        let mut wake = Wake::start().await.map_err(DaemonError::Wake)?;
        self.keep_config();
        self.resume().await?;
        self.alerts.start();
        self.tick().await;
        self.service.ready();
        tracing::info!(
            jobs = self.jobs.len(),
            databases = self.config.databases.len(),
            stores = self.config.stores.len(),
            version = env!("CARGO_PKG_VERSION"),
            "ready"
        );
        loop {
            tokio::select! {
                () = wake.woken() => self.tick().await,
                Some(finished) = self.finished_rx.recv() => {
                    self.finished(finished);
                    self.start_waiting();
                }
                Some(looked) = self.wanted.seen.recv() => self.looked(looked).await,
                _ = hangup.recv() => self.reload().await,
                () = stop.received() => break,
            }
            self.settle_passed_over().await;
        }
        wake.stop().await;
        self.drain(&mut stop).await;
        self.alerts.stop(&self.service).await;
        Ok(())
    }

    /// Looks at the clock and the ledger.
    async fn tick(&mut self) {
        if let Err(error) = self.state.observe_erasures(Timestamp::now()).await {
            tracing::error!(error = %chain(&error), "whether erasures are overdue cannot be seen");
        }
        match self.timetable.claim_due(&self.state, Timestamp::now()).await {
            Ok(due) => {
                for slot in due {
                    let not_before = Instant::now() + slot.delay;
                    let (job, slot, catch_up) = (slot.job, slot.slot, slot.catch_up);
                    let routine = self.jobs.get(&job).is_some_and(|known| known.job.is_routine());
                    self.enqueue(Waiting { job, slot, catch_up, routine, before: Attempts::default(), not_before });
                }
                self.start_waiting();
                self.look_for_work();
                // Whoever waits for a sign of life waits for all of it: what is found must also be told.
                if self.alerts.are_alive(self.service.patience()) {
                    self.service.alive();
                    self.dead_man.advanced(self.config.heartbeat.as_ref(), &self.tasks, &self.cancel);
                }
            }
            Err(error) => {
                // Nothing is lost: the ledger has not moved. The watchdog goes hungry, so a state store that stays
                // unusable ends in a restart, and an alert by the unit's OnFailure.
                tracing::error!(error = %chain(&error), "the schedule cannot be advanced");
            }
        }
        self.show_status();
    }

    pub(super) fn show_status(&mut self) {
        let running = match self.queue.running().iter().next() {
            None => "idle".to_owned(),
            Some(job) if self.queue.running().len() == 1 => format!("running {job}"),
            Some(job) => format!("running {job} and {} more", self.queue.running().len() - 1),
        };
        let waiting = match self.queue.waiting() {
            0 => String::new(),
            waiting => format!(", {waiting} waiting"),
        };
        let next = match self.timetable.next() {
            None => ", nothing scheduled".to_owned(),
            Some((job, at)) => {
                format!(", next {} at {}", job.name, at.to_zoned(job.timezone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z"))
            }
        };
        self.service.status(format!("{running}{waiting}{next}"));
    }
}
