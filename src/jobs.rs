//! The registry: every kind of job of the configuration, in one place.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::backup;
use crate::config::{CatchUp, Config, Ping};
use crate::database::Servers;
use crate::health::{self, Depth};
use crate::privacy;
use crate::run::Job;
use crate::schedule::Schedule;

/// A job of the configuration, ready to run.
#[derive(Clone)]
pub struct Registered {
    /// The work.
    pub job: Arc<dyn Job>,
    /// The full name.
    pub name: String,
    /// What it works on, for people.
    pub target: String,
    /// When; `None`: only by hand.
    pub schedule: Option<Schedule>,
    /// How often it looks for work; `None`: it does not.
    pub looks_every: Option<Duration>,
    /// The zone of the schedule.
    pub timezone: TimeZone,
    /// What becomes of missed slots.
    pub catch_up: CatchUp,
    /// Retries as configured; `None`: the caller's default.
    pub retries: Option<u32>,
    /// What is pinged when a run starts and ends.
    pub heartbeat: Option<Ping>,
}

impl Registered {
    /// What the ledger keeps of the schedule: when this changes, the job's slots count anew.
    pub fn schedule_key(&self) -> Option<String> {
        let schedule = self.schedule.as_ref()?;
        Some(format!("{schedule} {}", self.timezone.iana_name().unwrap_or("custom")))
    }
}

/// All jobs, in the order of their names.
pub fn registry(config: &Arc<Config>) -> Vec<Registered> {
    // Destructured without `..`: a new table of jobs that nobody registers does not compile.
    let Config {
        daemon: _,
        databases: _,
        stores: _,
        backups,
        health,
        privacy: policies,
        channels: _,
        alerts: _,
        heartbeat: _,
    } = config.as_ref();
    let servers = Arc::new(Servers::new(config));
    let mut jobs = Vec::new();
    for settings in backups.values() {
        let job = backup::Job::new(Arc::clone(config), Arc::clone(&servers), settings.clone());
        jobs.push(Registered {
            name: job.full_name(),
            target: settings.database.to_string(),
            schedule: settings.schedule.clone(),
            looks_every: None,
            timezone: settings.timezone.clone(),
            catch_up: settings.catch_up,
            retries: settings.retries,
            heartbeat: settings.heartbeat.clone(),
            job: Arc::new(job),
        });
    }
    for settings in policies.values().filter(|policy| policy.is_job()) {
        let job = privacy::Job::new(Arc::clone(config), Arc::clone(&servers), settings.clone());
        jobs.push(Registered {
            name: job.full_name(),
            target: settings.database.to_string(),
            schedule: settings.schedule.clone(),
            looks_every: None,
            timezone: settings.timezone.clone(),
            catch_up: CatchUp::Once,
            retries: None,
            heartbeat: settings.heartbeat.clone(),
            job: Arc::new(job),
        });
    }
    for settings in policies.values() {
        let Some(queue) = privacy::queue::of(settings) else { continue };
        let job = privacy::queue::QueueJob::new(Arc::clone(config), Arc::clone(&servers), settings.clone());
        jobs.push(Registered {
            name: job.full_name(),
            target: settings.database.to_string(),
            schedule: None,
            looks_every: Some(queue.every),
            timezone: settings.timezone.clone(),
            // One that was cut off is gone on with.
            catch_up: CatchUp::Once,
            retries: None,
            heartbeat: None,
            job: Arc::new(job),
        });
    }
    for settings in health.values() {
        let schedules = [(Depth::Usual, &settings.schedule), (Depth::Deep, &settings.deep_schedule)];
        for (depth, schedule) in schedules {
            let job = health::Job::new(Arc::clone(config), Arc::clone(&servers), settings.clone(), depth);
            jobs.push(Registered {
                name: job.full_name(),
                target: settings.database.to_string(),
                schedule: Some(schedule.clone()),
                looks_every: None,
                timezone: settings.timezone.clone(),
                // What was not looked at then cannot be looked at now.
                catch_up: CatchUp::Skip,
                retries: Some(0),
                // One address knows one schedule: deep rounds are told by nobody.
                heartbeat: settings.heartbeat.clone().filter(|_| depth == Depth::Usual),
                job: Arc::new(job),
            });
        }
    }
    jobs
}
