//! Whatever happens to the clock and to the process: no slot is run twice, and none is lost.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tokio::time::Instant;

use super::queue::{Queue, Waiting};
use super::timetable::Timetable;
use crate::config::CatchUp;
use crate::jobs::Registered;
use crate::run::{Attempts, Failure, Job, Limits, Outcome, PlanView, RunContext};
use crate::state::State;

/// A job that is only ever due.
struct Idle;

#[async_trait]
impl Job for Idle {
    fn name(&self) -> String {
        "test.idle".to_owned()
    }
    fn limits(&self) -> Limits {
        Limits { timeout: Duration::MAX, stall_timeout: Duration::MAX }
    }
    async fn plan(&self) -> Result<PlanView, Failure> {
        Err(Failure::new("never planned"))
    }
    async fn recover(&self, _state: &State) -> Result<(), Failure> {
        Ok(())
    }
    async fn run(&self, _context: &RunContext) -> Result<Outcome, Failure> {
        Err(Failure::new("never run"))
    }
}

fn job(name: &str, schedule: &str, catch_up: CatchUp) -> Registered {
    Registered {
        job: Arc::new(Idle),
        name: name.to_owned(),
        target: String::new(),
        schedule: Some(schedule.parse().unwrap()),
        looks_every: None,
        timezone: TimeZone::get("Europe/Berlin").unwrap(),
        catch_up,
        retries: None,
        heartbeat: None,
    }
}

fn jobs() -> Vec<Registered> {
    vec![
        job("test.hourly", "15 * * * *", CatchUp::Once),
        job("test.nightly", "30 2 * * *", CatchUp::Once),
        job("test.skipping", "0 */6 * * *", CatchUp::Skip),
    ]
}

/// What happens to the machine.
#[derive(Debug, Clone)]
enum Event {
    /// Time passes, or the clock is set forward.
    Forward(i64),
    /// The clock is set back.
    Back(i64),
    /// The process starts anew, or reloads.
    Restart,
}

fn events(back: bool) -> impl Strategy<Value = Vec<Event>> {
    let seconds = prop_oneof![4 => 1..90_i64, 3 => 90..5000_i64, 1 => 5000..400_000_i64];
    let back_weight = u32::from(back) * 2;
    let event = prop_oneof![
        8 => seconds.clone().prop_map(Event::Forward),
        back_weight => seconds.prop_map(Event::Back),
        1 => Just(Event::Restart),
    ];
    proptest::collection::vec(event, 1..40)
}

/// What a machine did: the slots it would have run, and what the ledger says.
struct Lived {
    ran: Vec<(String, Timestamp)>,
    /// By job: how many occurrences the ledger accounts for.
    accounted: BTreeMap<String, i64>,
    end: Timestamp,
}

/// Two days before the clock goes forward in spring.
fn start() -> Timestamp {
    "2026-03-27T12:00:00Z".parse().unwrap()
}

fn live(events: &[Event]) -> Lived {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).await.unwrap();
        let (mut now, mut ran) = (start(), Vec::new());
        let mut timetable = Timetable::new(&jobs(), &state, now).await.unwrap();
        for event in events {
            match event {
                Event::Forward(seconds) => now += SignedDuration::from_secs(*seconds),
                Event::Back(seconds) => now -= SignedDuration::from_secs(*seconds),
                Event::Restart => timetable = Timetable::new(&jobs(), &state, now).await.unwrap(),
            }
            let due = timetable.claim_due(&state, now).await.unwrap();
            ran.extend(due.into_iter().map(|slot| (slot.job, slot.slot)));
        }
        let accounted = state.accounted_slots().await.unwrap();
        state.close().await;
        Lived { ran, accounted, end: now }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_slot_is_run_twice_whatever_the_clock_does(events in events(true)) {
        let lived = live(&events);
        let distinct: BTreeSet<_> = lived.ran.iter().collect();
        prop_assert_eq!(distinct.len(), lived.ran.len());
    }

    #[test]
    fn every_occurrence_is_run_coalesced_or_skipped_and_so_accounted_for(events in events(false)) {
        let lived = live(&events);
        for job in jobs() {
            let schedule = job.schedule.unwrap();
            let due = schedule.occurrences(&job.timezone, start()).take_while(|slot| *slot <= lived.end).count();
            prop_assert_eq!(lived.accounted.get(&job.name).copied().unwrap_or(0), i64::try_from(due).unwrap());
        }
    }

    #[test]
    fn a_queue_loses_nothing_and_never_lets_a_job_overlap_itself(
        steps in proptest::collection::vec((0..4_u8, 0..5_usize, 0..1000_i64), 1..200),
    ) {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let (mut pushed, mut gone, mut running) = (0, 0, Vec::<Waiting>::new());
        for (step, job, second) in steps {
            match step {
                0 | 1 => {
                    let slot = Timestamp::from_second(second).unwrap();
                    let job = format!("job{job}");
                    pushed += 1;
                    let new = Waiting { job, slot, catch_up: false, routine: false, before: Attempts::default(), not_before: now };
                    gone += usize::from(queue.push(new).is_some());
                }
                2 => running.extend(queue.pop(2, now)),
                _ => {
                    if let Some(ended) = running.pop() {
                        gone += 1;
                        queue.finished(&ended.job);
                    }
                }
            }
            let jobs: BTreeSet<&str> = running.iter().map(|slot| slot.job.as_str()).collect();
            prop_assert_eq!(jobs.len(), running.len());
            prop_assert!(running.len() <= 2);
            prop_assert_eq!(pushed, gone + running.len() + queue.waiting());
        }
    }
}
