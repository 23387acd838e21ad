//! What still holds the data after an erasure, said honestly: backups until they expire, pages until they are used again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::archived::{self, ArchivesLeft};
use super::copies::{self, CopyLeft};
use crate::archive::BackupId;
use crate::archive::manifest::Purpose;
use crate::backup::retention::{self, Candidate, Standing};
use crate::backup::{self, candidate};
use crate::config::{BackupJob, Config, DatabaseKind, DatabaseName};
use crate::run::Failure;
use crate::state::{Backup, BackupFilter, Disposed, State};

/// What still holds the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remains {
    /// The backups that were begun before, by what decides about them.
    pub backups: Vec<BackupsLeft>,
    /// Archives of rows of the tables in which people stand.
    pub archives: Vec<ArchivesLeft>,
    /// Stores whose archives could not be looked at, and why.
    pub archives_not_seen: Vec<String>,
    /// Copies that Caretaker has made outside the stores.
    pub copies: Vec<CopyLeft>,
    /// In the database itself.
    pub database: Vec<String>,
}

/// Backups of one job, or those by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackupsLeft {
    /// The job; `None`: they were made by hand, or their job is no more.
    pub job: Option<String>,
    /// How many.
    pub count: usize,
    /// When the newest was begun.
    pub newest: Timestamp,
    /// The last of them does not expire before this; `None`: nothing but a person lets it go.
    pub last_expires_not_before: Option<Timestamp>,
    /// Those that are pinned: they stay until they are unpinned, whatever the date says.
    pub pinned: Vec<String>,
}

/// How many backups to come are imagined: beyond, the date is at least the last one's.
const IMAGINED: usize = 1_000;

/// What holds the data of before `now`.
pub async fn look(config: &Config, database: &DatabaseName, state: &State, now: Timestamp) -> Result<Remains, Failure> {
    let mut backups = state.backups(BackupFilter::Database(database.as_str())).await?;
    backups.retain(|backup| backup::holds(backup, now));
    let jobs: Vec<&BackupJob> = config.backups.values().filter(|job| job.database == *database).collect();
    let of_job = |job: &BackupJob, backup: &Backup| backup.job.as_deref().is_some_and(|name| is_of(name, &job.name));
    let mut left = Vec::new();
    for job in &jobs {
        let theirs: Vec<&Backup> = backups.iter().filter(|backup| of_job(job, backup)).collect();
        left.extend(said(Some(job.name.clone()), &theirs, last(job, &theirs, &theirs, now)?));
    }
    let others: Vec<&Backup> = backups.iter().filter(|one| !jobs.iter().any(|job| of_job(job, one))).collect();
    // A job that has a `max_age` lets go what was made by hand as well.
    let reaching = jobs.iter().find(|job| job.retention.as_ref().is_some_and(|policy| policy.max_age.is_some()));
    let until = match reaching.filter(|_| others.iter().all(|backup| backup.manual)) {
        Some(job) => {
            let all: Vec<&Backup> = backups.iter().filter(|one| one.manual || of_job(job, one)).collect();
            last(job, &all, &others, now)?
        }
        None => None,
    };
    left.extend(said(None, &others, until));
    let (archives, archives_not_seen) = archived::look(config, database, state).await?;
    let copies = copies::look(database, state).await?;
    let is_sqlite = config.databases.get(database).is_some_and(|it| matches!(it.kind, DatabaseKind::Sqlite(_)));
    let database = match is_sqlite {
        true => vec!["readers that began earlier see the rows until they end, and the -wal file holds them until then"],
        false => vec![
            "pages of tables and indexes until VACUUM and new rows overwrite them",
            "the write-ahead log and its archive until they are recycled; standbys until they have replayed it",
            "samples of the columns' values in pg_statistic until the next ANALYZE",
        ],
    };
    let database = database.into_iter().map(str::to_owned).collect();
    Ok(Remains { backups: left, archives, archives_not_seen, copies, database })
}

impl Remains {
    /// Where no backup holds it, there is none to wait for: these dispositions and erasures are gone everywhere.
    pub async fn settle(&self, state: &State, ids: &[&str], now: Timestamp) -> Result<(), Failure> {
        if self.backups.is_empty() {
            let disposed = state.disposed().await?;
            let gone: Vec<&Disposed> = disposed.iter().filter(|one| ids.contains(&one.id.as_str())).collect();
            state.copies_gone(&gone, None, now).await?;
        }
        Ok(())
    }
}

fn is_of(name: &str, job: &str) -> bool {
    name.strip_prefix("backup.").unwrap_or(name) == job
}

fn said(job: Option<String>, backups: &[&Backup], last: Option<Timestamp>) -> Option<BackupsLeft> {
    let newest = backups.iter().map(|backup| backup.started_at).max()?;
    let pinned = backups.iter().filter(|backup| backup.pinned_at.is_some()).map(|backup| backup.id.clone()).collect();
    Some(BackupsLeft { job, count: backups.len(), newest, last_expires_not_before: last, pinned })
}

/// When the last of these backups, which are among all that the job decides about, goes at the earliest, pins aside: the
/// retention is asked at each slot to come, as if every backup succeeded. One that fails makes older ones stay longer.
fn last(job: &BackupJob, all: &[&Backup], these: &[&Backup], now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let (Some(policy), Some(schedule)) = (&job.retention, &job.schedule) else { return Ok(None) };
    let unpinned = |backup: &&Backup| candidate(backup).map(|one| Candidate { pinned: false, ..one });
    let mut there: Vec<Candidate> = all.iter().map(unpinned).collect::<Result<_, _>>()?;
    let is_one = |one: &&Candidate| these.iter().any(|backup| backup.id == one.id.as_str());
    let mut old: Vec<BackupId> = there.iter().filter(is_one).map(|one| one.id.clone()).collect();
    let mut last = now;
    for at in schedule.occurrences(&job.timezone, now).take(IMAGINED) {
        if old.is_empty() {
            break;
        }
        last = at;
        there.push(imagined(at));
        let plan = retention::plan(policy, &there, &job.timezone, at);
        let gone: Vec<BackupId> = plan.deletions().map(|verdict| verdict.id.clone()).collect();
        there.retain(|one| !gone.contains(&one.id));
        old.retain(|id| !gone.contains(id));
    }
    Ok((!these.is_empty()).then_some(last))
}

fn imagined(at: Timestamp) -> Candidate {
    Candidate {
        id: BackupId::new(at),
        started_at: at,
        standing: Standing::Good,
        purpose: Purpose::Job,
        pinned: false,
        held: false,
    }
}
