//! What the commands work with: the configuration, the state store, the jobs.

use std::sync::Arc;

use super::args::Global;
use super::exit::CliError;
use super::output::Output;
use crate::anchor::{self, Missed};
use crate::config::{Config, DatabaseName, StoreName, suggest};
use crate::jobs::{Registered, registry};
use crate::state::{Backup, State};

/// The configuration and the way to print, for one command.
pub struct Scene<'a> {
    pub(super) config: Arc<Config>,
    pub(super) global: &'a Global,
    pub(super) output: &'a Output,
}

impl<'a> Scene<'a> {
    pub(super) fn new(config: Config, global: &'a Global, output: &'a Output) -> Self {
        Self { config: Arc::new(config), global, output }
    }

    pub(super) async fn state(&self) -> Result<State, CliError> {
        Ok(State::open(&self.config.daemon.state_dir).await?)
    }

    /// Tells the stores what the disposition log has come to; says which of them could not be told.
    pub(super) async fn anchor(&self, state: &State) {
        let missed = match anchor::write(&self.config, state).await {
            Ok(missed) => missed,
            Err(error) => {
                return self
                    .output
                    .note(format!("the disposition log is not anchored: {}", crate::fault::chain(&error)));
            }
        };
        for Missed { store, error } in missed {
            self.output.note(format!("the disposition log is not anchored in {store} yet: {error}"));
        }
    }

    pub(super) fn jobs(&self) -> Vec<Registered> {
        registry(&self.config)
    }

    /// The job of this name, full or short.
    pub(super) fn job(&self, name: &str) -> Result<Registered, CliError> {
        let jobs = self.jobs();
        let short = |job: &Registered| job.name.split_once('.').map(|(_, short)| short.to_owned());
        if let Some(job) = jobs.iter().find(|job| job.name == name || short(job).as_deref() == Some(name)) {
            return Ok(job.clone());
        }
        Err(unknown("job", name, jobs.iter().map(|job| job.name.as_str())))
    }

    /// The database of this name.
    pub(super) fn database(&self, name: &str) -> Result<DatabaseName, CliError> {
        match self.config.databases.keys().find(|known| known.as_str() == name) {
            Some(known) => Ok(known.clone()),
            None => Err(unknown("database", name, self.config.databases.keys().map(DatabaseName::as_str))),
        }
    }

    /// The store of this name.
    pub(super) fn store(&self, name: &str) -> Result<StoreName, CliError> {
        match self.config.stores.keys().find(|known| known.as_str() == name) {
            Some(known) => Ok(known.clone()),
            None => Err(unknown("store", name, self.config.stores.keys().map(StoreName::as_str))),
        }
    }

    /// The backup of this id, or of the only one that begins or ends so.
    pub(super) async fn backup(&self, state: &State, id: &str) -> Result<Backup, CliError> {
        match state.backup(id).await? {
            Some(backup) => Ok(backup),
            None => Err(CliError::usage(format!("there is no backup `{id}`, or more than one"))
                .hint("`caretaker backup list` shows them")),
        }
    }
}

pub(super) fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str> + Clone) -> CliError {
    let error = CliError::usage(format!("unknown {what} `{name}`"));
    match suggest(name, known.clone()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => match known.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => error.hint(format!("the configuration has no {what}")),
            known => error.hint(format!("known: {known}")),
        },
    }
}
