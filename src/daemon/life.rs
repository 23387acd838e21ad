//! The daemon from its start to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::queue::{Queue, Waiting};
use super::service::Service;
use super::timetable::Timetable;
use super::wake::Wake;
use crate::backup;
use crate::config::{CatchUp, Config};
use crate::fault::chain;
use crate::jobs::{Registered, registry};
use crate::run::{Lease, LeaseError, Refusal, Request, RunReport, execute};
use crate::state::{Cause, ReloadAnswer, State, StateError};

/// Attempts after the first, where the job names none.
const RETRIES: u32 = 2;

/// The first pause before another attempt.
const BACKOFF: Duration = Duration::from_secs(30);

/// A slot whose job another process is running is looked at again after this.
const BUSY_PAUSE: Duration = Duration::from_secs(5);

/// A slot whose run could not even be recorded is tried again after this.
const TROUBLE_PAUSE: Duration = Duration::from_secs(60);

/// A slot that took the process down with it so often is given up.
const MAX_INTERRUPTIONS: u32 = 5;

/// How long cancelled runs may take to clean up.
const CLEAN_UP: Duration = Duration::from_secs(75);

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

/// Runs until SIGTERM or SIGINT.
pub async fn run(config: Config, load: Loader) -> Result<(), DaemonError> {
    let state_dir = config.daemon.state_dir.clone();
    let state = State::open(&state_dir).await?;
    let lock = Lease::acquire(&state_dir, "daemon", Timestamp::now()).map_err(|error| match error {
        LeaseError::Busy { .. } => DaemonError::Second(error),
        LeaseError::Io { .. } => DaemonError::Lease(error),
    })?;
    state.check().await?;
    let mut life = Life::new(Arc::new(config), load, state).await?;
    let ended = life.live().await;
    life.state.close().await;
    drop(lock);
    ended
}

/// SIGTERM and SIGINT.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> Result<Self, std::io::Error> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What a run's task reports when it ends.
struct Finished {
    slot: Waiting,
    report: RunReport,
}

struct Life {
    config: Arc<Config>,
    load: Loader,
    state: State,
    jobs: BTreeMap<String, Registered>,
    timetable: Timetable,
    queue: Queue,
    service: Service,
    tasks: TaskTracker,
    last_call: CancellationToken,
    cancel: CancellationToken,
    finished_tx: mpsc::Sender<Finished>,
    finished_rx: mpsc::Receiver<Finished>,
}

impl Life {
    async fn new(config: Arc<Config>, load: Loader, state: State) -> Result<Self, DaemonError> {
        let jobs = registry(&config);
        let timetable = Timetable::new(&jobs, &state, Timestamp::now()).await?;
        let (finished_tx, finished_rx) = mpsc::channel(64);
        Ok(Self {
            config,
            load,
            state,
            jobs: jobs.into_iter().map(|job| (job.name.clone(), job)).collect(),
            timetable,
            queue: Queue::default(),
            service: Service::new(),
            tasks: TaskTracker::new(),
            last_call: CancellationToken::new(),
            cancel: CancellationToken::new(),
            finished_tx,
            finished_rx,
        })
    }

    async fn live(&mut self) -> Result<(), DaemonError> {
        let mut stop = StopSignals::listen().map_err(DaemonError::Signals)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(DaemonError::Signals)?;
        let wake = Wake::start().await.map_err(DaemonError::Wake)?;
        self.resume().await?;
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
                    self.finished(finished).await;
                    self.start_waiting();
                }
                _ = hangup.recv() => self.reload().await,
                () = stop.received() => break,
            }
        }
        wake.stop().await;
        self.drain(&mut stop).await;
        Ok(())
    }

    /// Takes up what an earlier life has left: slots that were claimed and not settled, leases that died.
    async fn resume(&mut self) -> Result<(), DaemonError> {
        let now = Timestamp::now();
        for open in self.state.open_slots().await? {
            let (catch_up, attempts) = match self.jobs.get(&open.job) {
                Some(job) => (job.catch_up == CatchUp::Once, open.attempts),
                None => (false, 0),
            };
            if catch_up && attempts < MAX_INTERRUPTIONS {
                tracing::warn!(job = open.job, slot = %open.slot, attempts, "slot was cut off and is run again");
                let not_before = Instant::now();
                let slot = Waiting { job: open.job, slot: open.slot, catch_up: true, attempts, not_before };
                self.enqueue(slot).await;
            } else {
                let failed = attempts > 0;
                tracing::error!(job = open.job, slot = %open.slot, attempts, "slot was cut off and is given up");
                self.state.abandon_slot(&open.job, open.slot, failed, now).await?;
            }
        }
        for lease in self.state.unsettled_leases().await? {
            let (config, state) = (Arc::clone(&self.config), self.state.clone());
            self.tasks.spawn(async move {
                if let Err(failure) = backup::settle_lease(&lease, &config, &state).await {
                    tracing::error!(job = lease, error = failure.message, "what a killed run has left is not settled");
                }
            });
        }
        Ok(())
    }

    /// Looks at the clock and the ledger.
    async fn tick(&mut self) {
        match self.timetable.claim_due(&self.state, Timestamp::now()).await {
            Ok(due) => {
                for slot in due {
                    let not_before = Instant::now() + slot.delay;
                    let (job, slot, catch_up) = (slot.job, slot.slot, slot.catch_up);
                    self.enqueue(Waiting { job, slot, catch_up, attempts: 0, not_before }).await;
                }
                self.start_waiting();
                self.service.alive();
            }
            Err(error) => {
                // Nothing is lost: the ledger has not moved. The watchdog goes hungry, so a state store that stays
                // unusable ends in a restart, and an alert by the unit's OnFailure.
                tracing::error!(error = %chain(&error), "the schedule cannot be advanced");
            }
        }
        self.show_status();
    }

    async fn enqueue(&mut self, slot: Waiting) {
        if let Some(old) = self.queue.push(slot) {
            self.give_up(&old).await;
        }
    }

    async fn give_up(&self, slot: &Waiting) {
        tracing::warn!(job = slot.job, slot = %slot.slot, "slot is passed over for a newer one");
        if let Err(error) = self.state.abandon_slot(&slot.job, slot.slot, false, Timestamp::now()).await {
            tracing::error!(job = slot.job, error = %chain(&error), "the slot is not settled");
        }
    }

    fn start_waiting(&mut self) {
        let room = self.config.daemon.max_concurrent_runs;
        while let Some(slot) = self.queue.pop(room, Instant::now()) {
            let Some(registered) = self.jobs.get(&slot.job).cloned() else {
                self.queue.finished(&slot.job);
                continue;
            };
            let (state, cancel, finished) = (self.state.clone(), self.cancel.clone(), self.finished_tx.clone());
            let last_call = self.last_call.clone();
            self.tasks.spawn(async move {
                let request = Request {
                    cause: if slot.catch_up { Cause::CatchUp } else { Cause::OnTime },
                    slot: Some(slot.slot),
                    earlier_attempts: slot.attempts,
                    retries: registered.retries.unwrap_or(RETRIES),
                    backoff: BACKOFF,
                    last_call,
                    on_progress: None,
                };
                let report = execute(registered.job.as_ref(), &request, &state, &cancel).await;
                // Only a daemon that has stopped listening refuses this.
                let _ = finished.send(Finished { slot, report }).await;
            });
        }
    }

    async fn finished(&mut self, Finished { slot, report }: Finished) {
        self.queue.finished(&slot.job);
        let Some(failure) = report.failure.filter(|_| report.run_id.is_none()) else { return };
        let pause = if failure.refused == Some(Refusal::Busy) {
            tracing::info!(job = slot.job, reason = failure.message, "slot waits");
            BUSY_PAUSE
        } else {
            tracing::error!(job = slot.job, error = failure.message, hint = failure.hint, "the run could not begin");
            TROUBLE_PAUSE
        };
        if let Some(old) = self.queue.put_back(slot, pause, Instant::now()) {
            self.give_up(&old).await;
        }
    }

    /// Reads the configuration again; keeps the old one if the new one is wrong.
    async fn reload(&mut self) {
        self.service.reloading();
        let answer = match self.take_config().await {
            Ok(message) => {
                tracing::info!(message, "configuration reloaded");
                ReloadAnswer { accepted: true, message }
            }
            Err(message) => {
                tracing::error!(error = message, "configuration not reloaded; the old one stays in force");
                ReloadAnswer { accepted: false, message }
            }
        };
        self.service.ready();
        if let Err(error) = self.state.answer_reloads(&answer, Timestamp::now()).await {
            tracing::error!(error = %chain(&error), "the answer to the reload is not recorded");
        }
        self.show_status();
    }

    async fn take_config(&mut self) -> Result<String, String> {
        let config = Arc::new((self.load)()?);
        if config.daemon.state_dir != self.config.daemon.state_dir {
            return Err("daemon.state_dir cannot change while the daemon runs: restart it".to_owned());
        }
        let jobs = registry(&config);
        let timetable = Timetable::new(&jobs, &self.state, Timestamp::now()).await.map_err(|error| chain(&error))?;
        self.timetable = timetable;
        self.jobs = jobs.into_iter().map(|job| (job.name.clone(), job)).collect();
        self.config = config;
        let known: BTreeSet<String> = self.jobs.keys().cloned().collect();
        for gone in self.queue.retain(&known) {
            self.give_up(&gone).await;
        }
        Ok(format!(
            "{} jobs, {} databases, {} stores",
            self.jobs.len(),
            self.config.databases.len(),
            self.config.stores.len()
        ))
    }

    fn show_status(&mut self) {
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

    /// Lets the runs finish, then cancels them. A second signal shortens it.
    async fn drain(&mut self, stop: &mut StopSignals) {
        let running = self.queue.running().len();
        self.service.stopping(&format!("stopping, {running} runs to finish"));
        tracing::info!(running, "stopping");
        self.last_call.cancel();
        self.tasks.close();
        self.finished_rx.close();
        let until = Instant::now() + self.config.daemon.drain_timeout;
        loop {
            self.service.extend(Duration::from_secs(30));
            tokio::select! {
                () = self.tasks.wait() => return,
                () = stop.received() => {
                    tracing::warn!("asked again to stop: cancelling the runs");
                    break;
                }
                () = tokio::time::sleep_until(until.min(Instant::now() + Duration::from_secs(5))) => {
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
