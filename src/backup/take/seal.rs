//! The end of a backup: its manifest in every store that has all of it, and the record of what each store holds.

use bytes::Bytes;
use futures::future::join_all;
use jiff::Timestamp;

use super::{Contents, Making, Taken};
use crate::archive::manifest::{FORMAT_VERSION, LogPosition, Manifest, Purpose, Tools};
use crate::backup::destination::Destination;
use crate::backup::fanout::too_slow;
use crate::backup::layout::{MANIFEST, object_key};
use crate::backup::remains;
use crate::run::Failure;
use crate::state::{CopyState, Verification};
use crate::store::StoreErrorKind;

impl Making<'_> {
    /// Writes the manifest to every store that has all objects, and records what has become of each.
    pub(super) async fn seal(&mut self, contents: Contents) -> Result<Taken, Failure> {
        self.any_left()?;
        self.context.progress.phase("seal");
        let damage = contents.damage.clone();
        let log = self.context.state.log_head().await?;
        let log = (log.seq > 0).then_some(LogPosition { seq: log.seq, hash: log.hash });
        let manifest = self.manifest(contents, log);
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

    fn manifest(&self, contents: Contents, disposition_log: Option<LogPosition>) -> Manifest {
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
            disposition_log,
            warnings,
            anomalies: Vec::new(),
        }
    }

    /// Cleans up after a failure: what was written is removed where the store can be reached, and remembered where not.
    pub(super) async fn discard(&mut self) {
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
