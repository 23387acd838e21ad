//! What the end of a run says about its job: an observation, like any check's.

use jiff::Timestamp;
use sqlx::Row;

use super::checks::record;
use super::instant::{from_ms, to_ms};
use super::{CheckKey, Observation, RunEnd, RunState, State, StateError, Status};

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

/// Records that a slot is given up whose runs were cut off again and again. Its runs that are still marked `running` count
/// as interrupted from now on: who settles them later must not make it milder.
pub(super) async fn record_given_up(
    tx: &mut Transaction<'_>,
    job: &str,
    slot: Timestamp,
    interruptions: u32,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE runs SET state = 'interrupted', finished_ms = ?3, error = 'its process is gone'
         WHERE job = ?1 AND slot_ms = ?2 AND state = 'running'",
    )
    .bind(job)
    .bind(to_ms(slot))
    .bind(to_ms(now))
    .execute(&mut **tx)
    .await?;
    let times = if interruptions == 1 { "once".to_owned() } else { format!("{interruptions} times") };
    let summary = format!("given up: its process was gone before the end {times}");
    let advice = format!("see what ends it (memory, a kill, a restart); then `caretaker job run {job}` does it now");
    let evidence = vec![format!("slot {slot:.0}")];
    let observation = observation(job, Status::Critical, summary, now);
    record(tx, &Observation { advice: Some(advice), evidence, ..observation }).await
}

impl State {
    /// Records that a job's run could not even begin.
    pub async fn record_refusal(
        &self,
        job: &str,
        why: &str,
        hint: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        let observation = observation(job, Status::Critical, format!("could not begin: {why}"), now);
        let observation = Observation { advice: hint.map(str::to_owned), ..observation };
        record(&mut tx, &observation).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))
    }
}

/// Whether a lease is a job's, rather than that of somebody who works by hand.
fn is_job(lease: &str) -> bool {
    !lease.starts_with("manual.")
}

fn observation(job: &str, status: Status, summary: String, at: Timestamp) -> Observation {
    let key = CheckKey { source: "job".to_owned(), subject: job.to_owned(), name: CHECK.to_owned() };
    Observation::new(key, status, summary, at)
}
