//! What the end of a run says about its job: an observation, like any check's.

use jiff::Timestamp;
use sqlx::Row;

use super::checks::record;
use super::instant::from_ms;
use super::{CheckKey, Observation, RunEnd, RunState, Status};

type Transaction<'t> = sqlx::Transaction<'t, sqlx::Sqlite>;

/// The check that a run's outcome is.
const CHECK: &str = "run";

/// Records what a run's end says about its job. A run that will be tried again says nothing yet, one that somebody
/// cancelled nothing at all, and neither does one by hand that belongs to no job.
pub(super) async fn record_end(tx: &mut Transaction<'_>, run: &str, end: &RunEnd) -> Result<(), sqlx::Error> {
    let status = match end.state {
        RunState::Succeeded => Status::Ok,
        RunState::Partial => Status::Warning,
        RunState::Failed => Status::Critical,
        RunState::Running | RunState::Cancelled | RunState::Interrupted => return Ok(()),
    };
    if end.retry_at.is_some() {
        return Ok(());
    }
    let row = sqlx::query("SELECT job, attempt, host, started_ms FROM runs WHERE id = ?1")
        .bind(run)
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row.filter(|row| is_job(row.get("job"))) else { return Ok(()) };
    let summary = match &end.error {
        Some(error) => format!("{}: {error}", end.state.as_str()),
        None => end.state.as_str().to_owned(),
    };
    let evidence = vec![
        format!("run {run} on {}, attempt {}", row.get::<String, _>("host"), row.get::<i64, _>("attempt")),
        format!("begun {:.0}, ended {:.0}", from_ms(row.get("started_ms")), end.finished_at),
    ];
    let advice = end.hint.clone().filter(|_| status > Status::Ok);
    let observation = Observation { advice, evidence, ..observation(row.get("job"), status, summary, end.finished_at) };
    record(tx, &observation).await
}

/// Records that a job's run was cut off with its process. The daemon runs its slot again, so it may soon be well.
pub(super) async fn record_interruption(
    tx: &mut Transaction<'_>,
    job: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    if !is_job(job) {
        return Ok(());
    }
    let summary = "interrupted: its process is gone".to_owned();
    let advice =
        Some("the journal of that time tells why: no memory left, a kill, a restart of the machine".to_owned());
    record(tx, &Observation { advice, ..observation(job, Status::Warning, summary, now) }).await
}

/// Whether a lease is a job's, rather than that of somebody who works by hand.
fn is_job(lease: &str) -> bool {
    !lease.starts_with("manual.")
}

fn observation(job: &str, status: Status, summary: String, at: Timestamp) -> Observation {
    let key = CheckKey { source: "job".to_owned(), subject: job.to_owned(), name: CHECK.to_owned() };
    Observation::new(key, status, summary, at)
}
