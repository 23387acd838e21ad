//! Retention carried out: which backups of a job go, and their removal, store by store.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::job::manual_lease;
use super::retention::{self, Candidate, Standing};
use super::{destination, last_copy, remains};
use crate::archive::BackupId;
use crate::archive::manifest::Purpose;
use crate::config::{BackupJob, Config, DatabaseName, JobKind, JobName, StoreName};
use crate::run::{Failure, host};
use crate::state::{Backup, BackupFilter, BackupState, CopyState, LogEntry, LogKind, State, Verification};

/// What is to be kept and what is to go, for one job.
#[derive(Debug)]
pub struct PrunePlan {
    /// The job's full name.
    pub job: String,
    /// The job's backups, the newest first.
    pub backups: Vec<Backup>,
    /// A verdict for each of them.
    pub retention: retention::Plan,
    /// Removals begun earlier that are not complete: (backup, store, why).
    pub unfinished: Vec<(String, String, Option<String>)>,
}

/// A copy that could not be removed.
#[derive(Debug, Clone, Serialize)]
pub struct PruneError {
    /// The backup.
    pub backup: String,
    /// The store.
    pub store: String,
    /// Why.
    pub error: String,
}

impl PrunePlan {
    /// Takes back every deletion that `shown` did not hold: nothing goes that nobody has been shown.
    pub fn limit_to(&mut self, shown: &Self) {
        let was_shown = |id: &BackupId| shown.retention.deletions().any(|verdict| verdict.id == *id);
        self.retention.verdicts.retain(|verdict| verdict.keep || was_shown(&verdict.id));
    }
}

/// A job's backups, the newest first; the job's full name with them.
pub(super) async fn of_job(job: &BackupJob, state: &State) -> Result<(String, Vec<Backup>), Failure> {
    let name = JobName::new(JobKind::Backup, &job.name).map_err(|error| Failure::new(error.to_string()))?.to_string();
    let backups = state
        .backups(BackupFilter::Lease(&name))
        .await?
        .into_iter()
        .filter(|backup| backup.state != BackupState::Writing)
        .collect();
    Ok((name, backups))
}

/// The backups by hand of a database.
async fn by_hand(database: &DatabaseName, state: &State) -> Result<Vec<Backup>, Failure> {
    let lease = manual_lease(database);
    let mut backups = state.backups(BackupFilter::Lease(&lease)).await?;
    backups.retain(|backup| backup.state != BackupState::Writing);
    Ok(backups)
}

/// Plans a job's retention; `None`: the job keeps everything.
pub async fn plan_prune(job: &BackupJob, state: &State, now: Timestamp) -> Result<Option<PrunePlan>, Failure> {
    let Some(policy) = &job.retention else { return Ok(None) };
    let (name, mut backups) = of_job(job, state).await?;
    if policy.max_age.is_some() {
        // What must be gone by then must be gone, whoever made it.
        backups.extend(by_hand(&job.database, state).await?);
        backups.sort_by(|a, b| (b.started_at, &b.id).cmp(&(a.started_at, &a.id)));
    }
    let unfinished = unfinished(&backups);
    // What has lost its manifest somewhere is on its way out: it can neither be kept nor go a second time.
    backups.retain(|backup| backup.copies.iter().all(|copy| copy.state != CopyState::Deleting));
    let candidates = backups.iter().map(candidate).collect::<Result<Vec<_>, Failure>>()?;
    let retention = retention::plan(policy, &candidates, &job.timezone, now);
    Ok(Some(PrunePlan { job: name, backups, retention, unfinished }))
}

fn unfinished(backups: &[Backup]) -> Vec<(String, String, Option<String>)> {
    let mut found = Vec::new();
    for backup in backups {
        for copy in backup.copies.iter().filter(|copy| copy.state == CopyState::Deleting) {
            found.push((backup.id.clone(), copy.store.clone(), copy.error.clone()));
        }
    }
    found
}

/// A backup of the catalogue as retention sees it.
pub fn candidate(backup: &Backup) -> Result<Candidate, Failure> {
    let id: BackupId = backup.id.parse().map_err(|error| Failure::new(format!("in the catalogue: {error}")))?;
    Ok(Candidate {
        id,
        started_at: backup.started_at,
        standing: match (backup.state, backup.verified) {
            (_, Some(Verification::Bad)) => Standing::Suspect,
            (BackupState::Complete, _) => Standing::Good,
            (BackupState::Partial, _) => Standing::Partial,
            (BackupState::Failed | BackupState::Writing, _) => Standing::Failed,
        },
        purpose: if backup.manual { Purpose::Manual } else { Purpose::Job },
        pinned: backup.pinned_at.is_some(),
        held: false,
    })
}

/// Removes what the plan lets go: per store the manifest first, then the objects, then the catalogue's entry. Returns
/// how many backups are gone, and which copies could not be removed; those are tried again next time. What is gone stands
/// in the disposition log, with `who` had it done. The caller holds the job's lease.
pub async fn apply_prune(
    plan: &PrunePlan,
    config: &Config,
    state: &State,
    who: &str,
) -> Result<(usize, Vec<PruneError>), Failure> {
    let mut stores = BTreeMap::new();
    let (mut gone, mut errors) = (Vec::new(), Vec::new());
    for verdict in plan.retention.verdicts.iter().filter(|verdict| !verdict.keep) {
        let Some(backup) = plan.backups.iter().find(|backup| backup.id == verdict.id.as_str()) else { continue };
        let mut complete = true;
        for copy in &backup.copies {
            if !stores.contains_key(&copy.store) {
                let name: Result<StoreName, _> = copy.store.parse();
                let opened = match name {
                    Ok(name) => destination::open(config, &name).await,
                    Err(error) => Err(Failure::new(error.to_string())),
                };
                stores.insert(copy.store.clone(), opened);
            }
            let removed = match &stores[&copy.store] {
                Ok(store) => {
                    state.begin_delete(&backup.id, &copy.store, Timestamp::now()).await?;
                    remains::remove(&backup.database, &backup.id, store.as_ref()).await.map_err(Failure::from)
                }
                Err(failure) => Err(failure.clone()),
            };
            match removed {
                Ok(()) => state.finish_delete(&backup.id, &copy.store).await?,
                Err(failure) => {
                    // One that does not answer is not waited for again with every backup.
                    if failure.retryable {
                        stores.insert(copy.store.clone(), Err(failure.clone()));
                    }
                    complete = false;
                    let (id, store, error) = (backup.id.clone(), copy.store.clone(), failure.message);
                    tracing::error!(backup = id, store, error, "not removed; tried again next time");
                    state.set_copy(&id, &store, CopyState::Deleting, Some(&error), Timestamp::now()).await?;
                    errors.push(PruneError { backup: id, store, error });
                }
            }
        }
        if complete {
            tracing::info!(job = plan.job, backup = backup.id, "backup removed by retention");
            gone.push(backup);
        }
    }
    if !gone.is_empty() || !errors.is_empty() {
        log(plan, &gone, &errors, state, who).await?;
    }
    // With the last backup that held it, what was disposed of is really gone.
    last_copy::amend(state, who).await?;
    Ok((gone.len(), errors))
}

/// What became of copies of people's data is part of what became of the data.
async fn log(
    plan: &PrunePlan,
    gone: &[&Backup],
    errors: &[PruneError],
    state: &State,
    who: &str,
) -> Result<(), Failure> {
    let ids: Vec<&str> = gone.iter().map(|backup| backup.id.as_str()).collect();
    let entry = LogEntry {
        kind: LogKind::BackupsPruned,
        policy: None,
        database: plan.backups.first().map(|backup| backup.database.clone()),
        run_id: None,
        who: who.to_owned(),
        host: host(),
        detail: json!({"job": plan.job, "removed": gone.len(), "backups": ids, "copies_not_removed": errors.len()}),
    };
    state.log(&entry, Timestamp::now()).await?;
    Ok(())
}
