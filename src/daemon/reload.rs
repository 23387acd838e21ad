//! A new configuration for a daemon that runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::life::Life;
use super::timetable::Timetable;
use crate::alert::LastGood;
use crate::fault::chain;
use crate::jobs::registry;
use crate::state::ReloadAnswer;
use crate::units::counted;

impl Life {
    /// Reads the configuration again; keeps the old one if the new one is wrong.
    pub(super) async fn reload(&mut self) {
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

    /// Keeps what a report of the daemon's own failure needs, should the configuration be broken then.
    pub(super) fn keep_config(&self) {
        if let Err(error) = LastGood::of(&self.config).keep(&self.config.daemon.state_dir) {
            tracing::warn!(%error, "the last good configuration's channels are not kept");
        }
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
        self.alerts.configure(Arc::clone(&self.config));
        self.keep_config();
        let known: BTreeSet<String> = self.jobs.keys().cloned().collect();
        for gone in self.queue.retain(&known) {
            self.pass_over(gone);
        }
        Ok(format!(
            "{}, {}, {}",
            counted(self.jobs.len(), "job", "jobs"),
            counted(self.config.databases.len(), "database", "databases"),
            counted(self.config.stores.len(), "store", "stores")
        ))
    }
}
