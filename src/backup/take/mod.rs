//! One backup taken: from the source through the codec into every store, the manifest last.

mod seal;
mod stream;
mod taken;
mod wish;

pub use taken::Taken;
pub(super) use wish::{Wish, plan};

use std::time::Duration;

use jiff::Timestamp;

use super::destination::{Destination, open_all};
use super::{postgres, sqlite};
use crate::archive::BackupId;
use crate::archive::codec::EncodeSpec;
use crate::archive::manifest::{Fingerprint, LargeObject, Object, Source, SourceKind, Table};
use crate::config::DatabaseKind;
use crate::run::{Failure, RunContext};
use crate::state::NewBackup;

/// What a source tells of itself and its contents.
pub(super) struct Contents {
    pub kind: SourceKind,
    pub snapshot_at: Timestamp,
    pub source: Source,
    pub pg_dump: Option<String>,
    pub objects: Vec<Object>,
    pub fingerprint: Fingerprint,
    pub tables: Vec<Table>,
    pub large_objects: Vec<LargeObject>,
    pub warnings: Vec<String>,
    /// What makes the copy itself doubtful: damage found in it.
    pub damage: Vec<String>,
}

/// A backup in the making.
pub(super) struct Making<'a> {
    pub wish: &'a Wish<'a>,
    pub context: &'a RunContext,
    pub id: BackupId,
    pub destinations: Vec<Destination>,
    pub spec: EncodeSpec,
}

/// Takes a backup. An error means that no store has it, and that nothing of it is left but what is recorded as left.
pub(super) async fn take(wish: &Wish<'_>, context: &RunContext) -> Result<Taken, Failure> {
    let database = wish.database()?;
    let id = BackupId::new(context.started_at);
    let spec = wish.encode_spec()?;
    let destinations = open_all(wish.config, &wish.settings.stores).await;
    let mut making = Making { wish, context, id, destinations, spec };
    making.any_left()?;
    making.record_begin().await?;
    let contents = match &database.kind {
        DatabaseKind::Postgres(_) => postgres::dump(&mut making).await,
        DatabaseKind::Sqlite(target) => sqlite::copy(&mut making, &target.path).await,
    };
    let result = match contents {
        Ok(contents) => making.seal(contents).await,
        Err(failure) => Err(failure),
    };
    if result.is_err() {
        making.discard().await;
    }
    result
}

impl Making<'_> {
    fn any_left(&self) -> Result<(), Failure> {
        if self.destinations.iter().any(|destination| destination.store().is_some()) {
            return Ok(());
        }
        let mut failures = self.destinations.iter().filter_map(Destination::failure);
        let Some(first) = failures.next().cloned() else { return Err(Failure::new("there is no store")) };
        let message = failures.fold(first.message.clone(), |text, failure| format!("{text}; {}", failure.message));
        let retryable = self.destinations.iter().filter_map(Destination::failure).any(|failure| failure.retryable);
        Err(Failure { message, retryable, ..first })
    }

    /// How long a store may take nothing: half of the run's own patience, so that the run outlives it.
    fn stall(&self) -> Duration {
        self.wish.settings.stall_timeout / 2
    }

    async fn record_begin(&self) -> Result<(), Failure> {
        if !self.wish.catalogued {
            return Ok(());
        }
        let new = NewBackup {
            id: self.id.to_string(),
            database: self.wish.settings.database.to_string(),
            job: self.wish.job.clone(),
            manual: self.wish.job.is_none(),
            run_id: self.context.run_id.clone(),
            lease: self.wish.lease.clone(),
            stores: self.wish.settings.stores.iter().map(ToString::to_string).collect(),
            started_at: self.context.started_at,
        };
        Ok(self.context.state.begin_backup(&new).await?)
    }
}
