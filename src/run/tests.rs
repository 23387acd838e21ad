//! What an attempt does with its slot, its record and the attempts before it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Attempts, Failure, Job, Limits, Outcome, PlanView, Refusal, Request, RunContext, execute};
use crate::state::{Cause, Claim, RunState, SlotCause, State};

/// Gets half of its work done each time, and notes what it finds of the last.
#[derive(Default)]
struct HalfDone {
    found: Mutex<Vec<Option<Value>>>,
}

#[async_trait]
impl Job for HalfDone {
    fn name(&self) -> String {
        "test.half".to_owned()
    }
    fn limits(&self) -> Limits {
        Limits { timeout: Duration::from_secs(60), stall_timeout: Duration::from_secs(60) }
    }
    async fn plan(&self) -> Result<PlanView, Failure> {
        Err(Failure::new("never planned"))
    }
    async fn recover(&self, _state: &State) -> Result<(), Failure> {
        Ok(())
    }
    async fn run(&self, context: &RunContext) -> Result<Outcome, Failure> {
        self.found.lock().unwrap().push(context.left.clone());
        let summary = json!({"done_in": context.attempt});
        Ok(Outcome::Partial { summary, failure: Failure::new("half of it is missing").retryable() })
    }
}

fn request(slot: Timestamp) -> Request {
    Request {
        cause: Cause::OnTime,
        slot: Some(slot),
        before: Attempts::default(),
        retries: 2,
        backoff: Duration::from_secs(1),
        on_progress: None,
    }
}

async fn claimed(state: &State) -> Timestamp {
    let slot = Timestamp::from_second(1_800_000_000).unwrap();
    let claim = Claim { job: "test.half".to_owned(), slot, cause: SlotCause::OnTime, missed: 0 };
    state.claim_slots(&[claim], slot).await.unwrap();
    slot
}

#[tokio::test]
async fn each_attempt_finds_the_record_of_the_one_before_and_the_last_settles_the_slot() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path()).await.unwrap();
    let (job, slot) = (HalfDone::default(), claimed(&state).await);
    let mut request = request(slot);
    let mut pauses = Vec::new();
    loop {
        let report = execute(&job, &request, &state, &CancellationToken::new()).await;
        let run = state.run(report.run_id.as_deref().unwrap()).await.unwrap().unwrap();
        assert_eq!(run.retry_at.is_some(), report.retry_in.is_some());
        let Some(pause) = report.retry_in else { break };
        pauses.push(pause.as_secs());
        // A daemon that starts anew here finds the same as one that has waited.
        let open = state.open_slots().await.unwrap().remove(0);
        request = request.again(&report);
        assert_eq!(Attempts { runs: open.runs, failed: open.failed, last_run: open.last_run }, request.before);
    }
    assert_eq!(*job.found.lock().unwrap(), [None, Some(json!({"done_in": 1})), Some(json!({"done_in": 2}))]);
    assert!(matches!(pauses.as_slice(), [1..3, 2..5]), "growing, with jitter: {pauses:?}");
    assert_eq!(state.open_slots().await.unwrap(), []);
}

#[tokio::test]
async fn what_was_given_up_while_it_waited_is_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path()).await.unwrap();
    let (job, slot) = (HalfDone::default(), claimed(&state).await);
    let request = request(slot);
    let report = execute(&job, &request, &state, &CancellationToken::new()).await;
    let first = report.run_id.clone().unwrap();
    assert_eq!(state.runs_to_retry().await.unwrap()[0].id, first);
    assert!(state.cancel_retry(&first, slot).await.unwrap());
    assert!(!state.cancel_retry(&first, slot).await.unwrap(), "once is enough");

    let again = execute(&job, &request.again(&report), &state, &CancellationToken::new()).await;
    assert_eq!((again.run_id, again.state), (None, RunState::Failed));
    assert_eq!(again.failure.unwrap().refused, Some(Refusal::Settled));
    assert_eq!(job.found.lock().unwrap().len(), 1);
}

/// One that must not run beside the other.
struct Beside;

#[async_trait]
impl Job for Beside {
    fn name(&self) -> String {
        "test.beside".to_owned()
    }
    fn keeps_away(&self) -> Option<String> {
        Some("test.half".to_owned())
    }
    fn limits(&self) -> Limits {
        Limits { timeout: Duration::from_secs(60), stall_timeout: Duration::from_secs(60) }
    }
    async fn plan(&self) -> Result<PlanView, Failure> {
        Err(Failure::new("never planned"))
    }
    async fn recover(&self, _state: &State) -> Result<(), Failure> {
        Ok(())
    }
    async fn run(&self, context: &RunContext) -> Result<Outcome, Failure> {
        // Nor does the other begin meanwhile.
        let other = execute(&HalfDone::default(), &by_hand(), &context.state, &CancellationToken::new()).await;
        Ok(Outcome::Succeeded { summary: json!({"busy": other.failure.unwrap().refused == Some(Refusal::Busy)}) })
    }
}

fn by_hand() -> Request {
    Request { cause: Cause::Manual, slot: None, ..request(Timestamp::UNIX_EPOCH) }
}

#[tokio::test]
async fn jobs_that_share_a_lease_never_run_beside_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path()).await.unwrap();
    let held = super::Lease::acquire(dir.path(), "test.half", Timestamp::UNIX_EPOCH).unwrap();
    let refused = execute(&Beside, &by_hand(), &state, &CancellationToken::new()).await;
    assert_eq!((refused.run_id, refused.failure.unwrap().refused), (None, Some(Refusal::Busy)));
    drop(held);
    let done = execute(&Beside, &by_hand(), &state, &CancellationToken::new()).await;
    assert_eq!(done.summary.unwrap()["busy"], true);
}
