//! One backup taken: from the source through the codec into every store, the manifest last.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::destination::{Destination, open_all};
use super::fanout::{Fanout, too_slow};
use super::layout::{MANIFEST, object_key};
use super::{postgres, remains, sqlite};
use crate::archive::BackupId;
use crate::archive::codec::{EncodeSpec, Encoded, Encoder, Recipient, object_name};
use crate::archive::manifest::{
    FORMAT_VERSION, Fingerprint, LargeObject, Manifest, Object, Purpose, Source, SourceKind, Table, Tools,
};
use crate::config::{BackupJob, Config, Database, DatabaseKind};
use crate::database::Servers;
use crate::run::{Failure, PlanView, RunContext};
use crate::state::{CopyState, NewBackup, Verification};
use crate::store::StoreErrorKind;

/// What is to be backed up, how, and where to.
pub(super) struct Wish<'a> {
    pub config: &'a Config,
    pub servers: &'a Servers,
    pub settings: &'a BackupJob,
    /// The job's full name; `None`: by hand.
    pub job: Option<String>,
    pub lease: String,
    /// Whether it stands in the catalogue.
    pub catalogued: bool,
}

impl Wish<'_> {
    pub(super) fn database(&self) -> Result<&Database, Failure> {
        self.config
            .databases
            .get(&self.settings.database)
            .ok_or_else(|| Failure::new(format!("database {} is not in the configuration", self.settings.database)))
    }

    fn encode_spec(&self) -> Result<EncodeSpec, Failure> {
        let recipients =
            self.settings.encrypt_to.iter().map(|key| key.parse::<Recipient>()).collect::<Result<_, _>>()?;
        Ok(EncodeSpec { compression: self.settings.compression, recipients, threads: EncodeSpec::default_threads() })
    }
}

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

/// A backup that was taken.
pub struct Taken {
    /// What stands in the stores.
    pub manifest: Manifest,
    /// What each store has come to.
    copies: Vec<(String, Option<Failure>)>,
    damage: Vec<String>,
}

impl Taken {
    /// Why it is only partial.
    pub(super) fn failure(&self) -> Option<Failure> {
        let failed: Vec<_> = self.copies.iter().filter_map(|(_, failure)| failure.as_ref()).collect();
        let first = failed.first()?;
        let message = failed.iter().map(|failure| failure.message.as_str()).collect::<Vec<_>>().join("; ");
        let retryable = failed.iter().any(|failure| failure.retryable);
        Some(Failure { message, hint: first.hint.clone(), retryable, refused: None })
    }

    /// What is wrong with the database itself.
    pub(super) fn damage(&self) -> Option<Failure> {
        let first = self.damage.first()?;
        let what = match self.manifest.kind {
            SourceKind::Sqlite => "the database",
            SourceKind::Postgres => "the dump",
        };
        Some(Failure::new(format!("{what} is damaged ({} findings): {first}", self.damage.len())).hint(
            "the backup is stored as it is, does not count as good, and pushes no older one out; see `backup show`",
        ))
    }

    pub(super) fn summary(&self) -> Value {
        let manifest = &self.manifest;
        let sum = |size: fn(&Object) -> u64| manifest.objects.iter().map(size).sum::<u64>();
        json!({
            "backup": manifest.id.as_str(),
            "plain_bytes": sum(|object| object.plain_bytes),
            "stored_bytes": sum(|object| object.bytes),
            "tables": manifest.tables.len(),
            "rows": manifest.tables.iter().filter_map(|table| table.rows).sum::<u64>(),
            "stores": self.copies.iter().filter(|(_, failure)| failure.is_none()).map(|(store, _)| store).collect::<Vec<_>>(),
            "warnings": manifest.warnings,
        })
    }
}

/// Says what a run would do.
pub(super) async fn plan(wish: &Wish<'_>) -> Result<PlanView, Failure> {
    let database = wish.database()?;
    let spec = wish.encode_spec()?;
    let (base, mut value) = match &database.kind {
        DatabaseKind::Postgres(_) => ("data.dump", postgres::plan(wish).await?),
        DatabaseKind::Sqlite(target) => ("data.db", sqlite::plan(&target.path).await?),
    };
    let stores: Vec<String> = wish.settings.stores.iter().map(ToString::to_string).collect();
    let object = object_name(base, spec.compression, !spec.recipients.is_empty());
    value["database"] = json!(wish.settings.database.as_str());
    value["stores"] = json!(stores);
    value["object"] = json!(object);
    value["fingerprint"] = json!(wish.settings.fingerprint.as_str());
    let text = format!(
        "would back up {} ({}) as {object} to {}",
        wish.settings.database,
        value["source"].as_str().unwrap_or_default(),
        stores.join(", ")
    );
    Ok(PlanView { text, value })
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
    fn stall(&self) -> std::time::Duration {
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

    /// Streams one object to all stores. `produce` runs on a blocking thread and pushes plain bytes; `confirm` decides
    /// afterwards whether they are all: only then does the object appear.
    pub(super) async fn stream<T, P, C>(&mut self, base: &str, produce: P, confirm: C) -> Result<(Object, T), Failure>
    where
        T: Send + 'static,
        P: FnOnce(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<T> + Send + 'static,
        C: Future<Output = Result<(), Failure>>,
    {
        let name = object_name(base, self.spec.compression, !self.spec.recipients.is_empty());
        let key = object_key(self.wish.settings.database.as_str(), self.id.as_str(), &name);
        let fanout = Fanout::begin(&self.destinations, &key, self.stall(), &self.context.cancel);
        let shared = Arc::new(std::sync::Mutex::new(Some(fanout)));
        let (sink_side, progress) = (Arc::clone(&shared), Arc::clone(&self.context.progress));
        let spec = self.spec.clone();
        let pumped = tokio::task::spawn_blocking(move || {
            let stored = Arc::clone(&progress);
            let mut encoder = Encoder::new(&spec, move |chunk: Bytes| {
                let mut fanout = sink_side.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let fanout = fanout.as_mut().ok_or_else(|| io::Error::other("the object was given up"))?;
                fanout.send_blocking(&chunk)?;
                stored.add_stored(chunk.len() as u64);
                Ok(())
            })?;
            let made = produce(&mut |bytes| {
                progress.add_in(bytes.len() as u64);
                encoder.write(bytes)
            })?;
            Ok::<_, io::Error>((encoder, made))
        });
        // Both at once: a source that is told to end lets a pump that waits for it go on.
        let (confirmed, pumped) = tokio::join!(confirm, pumped);
        let pumped = pumped.unwrap_or_else(|panic| Err(io::Error::other(format!("a bug: {panic}"))));
        // The source's own verdict comes first: a child that failed explains a pipe that ended.
        let finished: Result<(Encoded, T), Failure> = match (confirmed, pumped) {
            (Ok(()), Ok((encoder, made))) => {
                let encoded = tokio::task::spawn_blocking(move || encoder.finish()).await;
                match encoded.unwrap_or_else(|panic| Err(io::Error::other(format!("a bug: {panic}")))) {
                    Ok(encoded) => Ok((encoded, made)),
                    Err(error) => Err(self.sink_failure(&error)),
                }
            }
            (Ok(()), Err(error)) => Err(self.sink_failure(&error)),
            (Err(failure), Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                tracing::debug!(failure = failure.message, "the source was ended because no store was left");
                Err(self.sink_failure(&error))
            }
            (Err(failure), _) => Err(failure),
        };
        let fanout = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(fanout) = fanout else { return Err(Failure::new("a bug: the object's lanes are gone")) };
        match finished {
            Ok((encoded, made)) => {
                let finish = fanout.finish(encoded.stored_bytes, &mut self.destinations);
                self.context.progress.beat_during(finish).await;
                self.any_left()?;
                Ok((object(name, encoded), made))
            }
            Err(failure) => {
                self.context.progress.beat_during(fanout.abort(&mut self.destinations)).await;
                // The stores' own errors say more than "no store is left".
                self.any_left()?;
                Err(failure)
            }
        }
    }

    fn sink_failure(&self, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::Interrupted => Failure::new("cancelled"),
            _ => Failure::new(format!("the bytes could not be processed: {error}")).retryable(),
        }
    }

    /// Writes the manifest to every store that has all objects, and records what has become of each.
    async fn seal(&mut self, contents: Contents) -> Result<Taken, Failure> {
        self.any_left()?;
        self.context.progress.phase("seal");
        let damage = contents.damage.clone();
        let manifest = self.manifest(contents);
        let text =
            serde_json::to_string_pretty(&manifest).map_err(|error| Failure::new(format!("manifest: {error}")))?;
        let state = &self.context.state;
        if self.wish.catalogued {
            state.set_manifest(self.id.as_str(), &text).await?;
        }
        let key = object_key(&manifest.database, self.id.as_str(), MANIFEST);
        let stall = self.stall();
        let writes = self.destinations.iter().map(|destination| {
            let (key, text) = (&key, text.clone());
            async move {
                let Some(store) = destination.store() else { return Ok(()) };
                match tokio::time::timeout(stall, store.put(key, Bytes::from(text))).await {
                    Ok(written) => written.map_err(Failure::from),
                    Err(_) => Err(too_slow(store.as_ref(), key, stall)),
                }
            }
        });
        let written = self.context.progress.beat_during(join_all(writes)).await;
        for (destination, written) in self.destinations.iter_mut().zip(written) {
            if let Err(failure) = written {
                destination.fail(failure);
            }
        }
        self.any_left()?;
        if self.wish.catalogued && !damage.is_empty() {
            let now = Timestamp::now();
            state.set_verified(self.id.as_str(), Verification::Bad, "when it was taken", now).await?;
        }
        self.record_copies(true).await?;
        let copies = self.destinations.iter().map(|d| (d.name.to_string(), d.failure().cloned())).collect();
        Ok(Taken { manifest, copies, damage })
    }

    fn manifest(&self, contents: Contents) -> Manifest {
        let mut warnings = contents.warnings;
        warnings.extend(contents.damage.iter().take(20).map(|finding| format!("damage: {finding}")));
        Manifest {
            format_version: FORMAT_VERSION,
            id: self.id.clone(),
            database: self.wish.settings.database.to_string(),
            kind: contents.kind,
            purpose: if self.wish.job.is_some() { Purpose::Job } else { Purpose::Manual },
            job: self.wish.job.clone(),
            run_id: self.context.run_id.clone(),
            started_at: self.context.started_at,
            snapshot_at: contents.snapshot_at,
            finished_at: Timestamp::now(),
            source: contents.source,
            tools: Tools { caretaker: env!("CARGO_PKG_VERSION").to_owned(), pg_dump: contents.pg_dump },
            compression: self.spec.compression.to_string(),
            encrypted_to: self.spec.recipients.iter().map(ToString::to_string).collect(),
            objects: contents.objects,
            fingerprint: contents.fingerprint,
            tables: contents.tables,
            large_objects: contents.large_objects,
            warnings,
            anomalies: Vec::new(),
        }
    }

    /// Cleans up after a failure: what was written is removed where the store can be reached, and remembered where not.
    async fn discard(&mut self) {
        for destination in &mut self.destinations {
            if destination.failure().is_none() {
                destination.fail(Failure::new("the backup failed"));
            }
        }
        if let Err(failure) = self.record_copies(false).await {
            tracing::error!(backup = %self.id, error = failure.message, "what has become of the copies is not recorded");
        }
    }

    /// Records every store's copy. A store that has failed is cleaned of what it may have got.
    async fn record_copies(&mut self, sealed: bool) -> Result<(), Failure> {
        let cleaning = join_all(self.destinations.iter().map(|destination| clean(self, destination, sealed)));
        let cleaned = self.context.progress.beat_during(cleaning).await;
        if !self.wish.catalogued {
            return Ok(());
        }
        for (destination, copy) in self.destinations.iter().zip(cleaned) {
            let error = destination.failure().map(|failure| failure.message.as_str());
            let (id, store) = (self.id.as_str(), destination.name.as_str());
            self.context.state.set_copy(id, store, copy, error, Timestamp::now()).await?;
        }
        Ok(())
    }
}

/// What a destination holds now; a failed one after its remains were removed, as far as that is possible.
async fn clean(making: &Making<'_>, destination: &Destination, sealed: bool) -> CopyState {
    if sealed && destination.failure().is_none() {
        return CopyState::Complete;
    }
    let Some(store) = destination.any_store() else { return CopyState::Missing };
    let removal = remains::remove(making.wish.settings.database.as_str(), making.id.as_str(), store.as_ref());
    match tokio::time::timeout(std::time::Duration::from_secs(20), removal).await {
        Ok(Ok(())) => CopyState::Missing,
        // Where there is no bucket or folder, nothing can be left.
        Ok(Err(error)) if error.kind == StoreErrorKind::Missing => CopyState::Missing,
        Ok(Err(error)) => {
            tracing::warn!(store = %destination.name, error = %crate::fault::chain(&error), "remains stay for now");
            CopyState::Leftover
        }
        Err(_) => CopyState::Leftover,
    }
}

fn object(name: String, encoded: Encoded) -> Object {
    Object {
        name,
        bytes: encoded.stored_bytes,
        sha256: encoded.stored_sha256,
        plain_bytes: encoded.plain_bytes,
        plain_sha256: encoded.plain_sha256,
    }
}
