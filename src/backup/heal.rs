//! Partial backups completed: a store that has missed a backup, or holds a bad copy of it, gets it from one that has it,
//! instead of from a new dump.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::layout::{MANIFEST, folder, object_key};
use super::{destination, prune, remains, retention};
use crate::archive::manifest::Manifest;
use crate::config::{BackupJob, Config, StoreName};
use crate::run::{Failure, Limits, RunContext};
use crate::state::{Backup, BackupState, CopyState, State, Verification};
use crate::store::{self, ObjectKey, Store, StoreError};

/// How long removing what a failed copy has left may take.
const CLEAN_WITHIN: Duration = Duration::from_secs(20);

/// The job's partial backups that its retention would keep if they were complete, the newest first.
pub(super) async fn worth_completing(job: &BackupJob, state: &State, now: Timestamp) -> Result<Vec<Backup>, Failure> {
    let (_, mut backups) = prune::of_job(job, state).await?;
    if let Some(policy) = &job.retention {
        let mut candidates = backups.iter().map(prune::candidate).collect::<Result<Vec<_>, Failure>>()?;
        for candidate in &mut candidates {
            if candidate.standing == retention::Standing::Partial {
                candidate.standing = retention::Standing::Good;
            }
        }
        let plan = retention::plan(policy, &candidates, &job.timezone, now);
        backups.retain(|backup| plan.deletions().all(|verdict| verdict.id.as_str() != backup.id));
    }
    backups.retain(can_be_completed);
    Ok(backups)
}

/// Whether a backup misses copies that can be made from one it has.
pub(super) fn can_be_completed(backup: &Backup) -> bool {
    backup.state == BackupState::Partial
        && backup.verified != Some(Verification::Bad)
        && backup.copies.iter().all(|copy| copy.state != CopyState::Deleting)
        && backup.complete_in().next().is_some()
        && missing(backup).next().is_some()
}

fn missing(backup: &Backup) -> impl Iterator<Item = &str> {
    let wanting = |state| matches!(state, CopyState::Missing | CopyState::Leftover | CopyState::Bad);
    backup.copies.iter().filter(move |copy| wanting(copy.state)).map(|copy| copy.store.as_str())
}

fn holds_bad(backup: &Backup, store: &str) -> bool {
    backup.copies.iter().any(|copy| copy.store == store && copy.state == CopyState::Bad)
}

/// Removes the segments of a former copy that go beyond those of its replacement: `cat` would take them for its own.
async fn remove_segments(store: &dyn Store, key: &ObjectKey, first: usize) -> Result<(), StoreError> {
    for number in u32::try_from(first).unwrap_or(u32::MAX).. {
        let segment = key.segment(number);
        if store.head(&segment).await?.is_none() {
            break;
        }
        store.delete(&segment).await?;
    }
    Ok(())
}

/// Completes backups, with bounded patience: what could not be completed must not cost the run its new backup.
pub(super) struct Healer<'a> {
    config: &'a Config,
    context: &'a RunContext,
    /// How long a copy may go without a byte.
    stall: Duration,
    /// When no further byte is copied.
    until: Instant,
    /// Stores that have failed and are not asked again.
    given_up: BTreeMap<String, Failure>,
}

impl<'a> Healer<'a> {
    /// One for this run. It takes at most half of the run's time, and half of its patience with a stall.
    pub(super) fn new(config: &'a Config, context: &'a RunContext, limits: Limits) -> Self {
        let until = Instant::now() + limits.timeout / 2;
        Self { config, context, stall: limits.stall_timeout / 2, until, given_up: BTreeMap::new() }
    }

    /// Copies a partial backup to the stores that miss it. Returns the stores that have it now, or the first failure
    /// after all were tried.
    pub(super) async fn complete(&mut self, backup: &Backup) -> Result<Vec<String>, Failure> {
        let text = backup.manifest.as_deref().ok_or_else(|| Failure::new("the partial backup has no manifest"))?;
        let manifest: Manifest = serde_json::from_str(text)
            .map_err(|error| Failure::new(format!("the manifest of {} cannot be read: {error}", backup.id)))?;
        let (mut completed, mut first_failure) = (Vec::new(), None);
        for store in missing(backup) {
            let failure = match self.given_up.get(store) {
                Some(failure) => failure.clone(),
                None => match self.copy_to(backup, &manifest, text, store).await {
                    Ok(from) => {
                        tracing::info!(backup = backup.id, from, to = store, "missing copy made from a good one");
                        completed.push(store.to_owned());
                        continue;
                    }
                    Err(failure) => {
                        let error = &failure.message;
                        tracing::warn!(backup = backup.id, store, error, "the missing copy is still missing");
                        if failure.retryable {
                            self.given_up.insert(store.to_owned(), failure.clone());
                        }
                        failure
                    }
                },
            };
            first_failure.get_or_insert(failure);
        }
        match first_failure {
            None => Ok(completed),
            Some(failure) => Err(failure),
        }
    }

    async fn copy_to(&self, backup: &Backup, manifest: &Manifest, text: &str, to: &str) -> Result<String, Failure> {
        self.context.progress.phase("copy");
        let target = destination::open(self.config, &name(to)?).await?;
        let mut failure = Failure::new("no store has a complete copy");
        for from in backup.complete_in() {
            let source = match destination::open(self.config, &name(from)?).await {
                Ok(source) => source,
                Err(error) => {
                    failure = error;
                    continue;
                }
            };
            let state = &self.context.state;
            if !holds_bad(backup, to) {
                state.set_copy(&backup.id, to, CopyState::Writing, None, Timestamp::now()).await?;
            }
            match self.watched(to, self.copy(backup, manifest, text, &source, target.as_ref())).await {
                Ok(()) => {
                    state.set_copy(&backup.id, to, CopyState::Complete, None, Timestamp::now()).await?;
                    return Ok(from.to_owned());
                }
                Err(error) => {
                    let left = self.after_failure(backup, to, target.as_ref()).await;
                    state.set_copy(&backup.id, to, left, Some(&error.message), Timestamp::now()).await?;
                    failure = error;
                }
            }
        }
        Err(failure)
    }

    /// Removes what a copy that failed has left, and says what is there now. What a bad copy holds is not removed: it may
    /// be all that is left of some object.
    async fn after_failure(&self, backup: &Backup, to: &str, target: &dyn Store) -> CopyState {
        if holds_bad(backup, to) {
            return CopyState::Bad;
        }
        let cleaning = tokio::time::timeout(CLEAN_WITHIN, remains::remove(&backup.database, &backup.id, target));
        match self.context.progress.beat_during(cleaning).await {
            Ok(Ok(())) => CopyState::Missing,
            _ => CopyState::Leftover,
        }
    }

    async fn copy(
        &self,
        backup: &Backup,
        manifest: &Manifest,
        text: &str,
        from: &Arc<dyn Store>,
        to: &dyn Store,
    ) -> Result<(), Failure> {
        let progress = &self.context.progress;
        let replaces = holds_bad(backup, to.name().as_str());
        if replaces {
            // Its state does not tell of an attempt that was cut off.
            to.sweep(&folder(&backup.database, &backup.id)).await?;
        }
        for object in &manifest.objects {
            let key = object_key(&backup.database, &backup.id, &object.name);
            let moved = |bytes: u64| {
                progress.add_in(bytes);
                progress.add_stored(bytes);
            };
            let stored = store::copy(from, to, &key, object.bytes, Some(&object.sha256), &moved).await?;
            if replaces {
                remove_segments(to, &key, stored.segments.len()).await?;
            }
        }
        let key = object_key(&backup.database, &backup.id, MANIFEST);
        Ok(to.put(&key, bytes::Bytes::copy_from_slice(text.as_bytes())).await?)
    }

    /// Ends a copy that stands still, that takes too long, or whose run is cancelled.
    async fn watched(&self, to: &str, copy: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
        let mut copy = std::pin::pin!(copy);
        let moved = || self.context.progress.view().bytes_stored;
        let (mut last, mut since) = (moved(), Instant::now());
        let slow = |why: String| Failure::new(format!("store {to}: copying what it misses: {why}")).retryable();
        loop {
            tokio::select! {
                done = &mut copy => return done,
                () = self.context.cancelled() => return Err(Failure::new("cancelled")),
                () = tokio::time::sleep(Duration::from_millis(250)) => {}
            }
            let now = moved();
            if now != last {
                (last, since) = (now, Instant::now());
            }
            if since.elapsed() >= self.stall {
                return Err(slow(format!("no byte taken for {} s", self.stall.as_secs())));
            }
            if Instant::now() >= self.until {
                return Err(slow("it takes longer than half of the run's `timeout`".to_owned()));
            }
        }
    }
}

fn name(store: &str) -> Result<StoreName, Failure> {
    store.parse().map_err(|error| Failure::new(format!("{error}")))
}
