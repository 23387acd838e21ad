//! The timetable: which slots are due now, by the schedules and the ledger.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::CatchUp;
use crate::jobs::Registered;
use crate::schedule::{Due, DueInput, Schedule, decide, jitter};
use crate::state::{Claim, SlotCause, State, StateError};

/// How late a slot may be looked at and still be on time.
const GRACE: Duration = Duration::from_secs(60);

/// Catch-up runs start spread over this time, so that a boot does not start them all together.
const CATCH_UP_SPREAD: Duration = Duration::from_secs(10);

/// A clock that goes back by less than this has been corrected, not changed.
const JUMP: SignedDuration = SignedDuration::from_secs(2);

/// How many jobs are looked at before other tasks get their turn.
const BATCH: usize = 256;

/// A slot that is ours to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DueSlot {
    pub job: String,
    pub slot: Timestamp,
    pub catch_up: bool,
    pub delay: Duration,
}

struct Entry {
    name: String,
    schedule: Schedule,
    key: String,
    registered: Registered,
    ledger: Timestamp,
    next: Option<Timestamp>,
}

/// The scheduled jobs, each with how far its occurrences are accounted for.
pub(super) struct Timetable {
    entries: Vec<Entry>,
    looked_at: Timestamp,
}

impl Timetable {
    /// Makes the jobs known to the ledger.
    pub(super) async fn new(jobs: &[Registered], state: &State, now: Timestamp) -> Result<Self, StateError> {
        let mut entries = Vec::new();
        for registered in jobs {
            if let (Some(schedule), Some(key)) = (&registered.schedule, registered.schedule_key()) {
                let (name, schedule, registered) = (registered.name.clone(), schedule.clone(), registered.clone());
                entries.push(Entry { name, schedule, key, registered, ledger: now, next: None });
            }
        }
        let mut timetable = Self { entries, looked_at: now };
        timetable.read_ledger(state, now).await?;
        Ok(timetable)
    }

    async fn read_ledger(&mut self, state: &State, now: Timestamp) -> Result<(), StateError> {
        let jobs: Vec<_> = self.entries.iter().map(|entry| (entry.name.clone(), entry.key.clone())).collect();
        let ledger = state.register_jobs(&jobs, now).await?;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            entry.ledger = ledger.get(&entry.name).copied().unwrap_or(now);
            entry.next = entry.schedule.next(&entry.registered.timezone, entry.ledger);
            if index % BATCH == BATCH - 1 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// Claims what is due and returns what is ours, in order of time, then of name. If the state store fails nothing
    /// is accounted for, and the next look finds the same again.
    pub(super) async fn claim_due(&mut self, state: &State, now: Timestamp) -> Result<Vec<DueSlot>, StateError> {
        if now.duration_since(self.looked_at) < -JUMP {
            tracing::warn!(from = %self.looked_at, to = %now, "the clock went back; reading the ledger again");
            self.read_ledger(state, now).await?;
        }
        self.looked_at = now;
        let mut found: Vec<(usize, Claim, Duration)> = Vec::new();
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if entry.next.is_none_or(|next| next > now) {
                continue;
            }
            if let Some((claim, delay)) = entry.look(now) {
                found.push((index, claim, delay));
            }
            if found.len() % BATCH == BATCH - 1 {
                tokio::task::yield_now().await;
            }
        }
        if found.is_empty() {
            return Ok(Vec::new());
        }
        found.sort_by(|(_, a, _), (_, b, _)| (a.slot, &a.job).cmp(&(b.slot, &b.job)));
        let claims: Vec<Claim> = found.iter().map(|(_, claim, _)| claim.clone()).collect();
        let ours = state.claim_slots(&claims, now).await?;
        let mut due = Vec::new();
        for ((index, claim, delay), ours) in found.into_iter().zip(ours) {
            let entry = &mut self.entries[index];
            entry.ledger = claim.slot;
            entry.next = entry.schedule.next(&entry.registered.timezone, claim.slot);
            log_claim(&claim, ours);
            if ours && claim.cause != SlotCause::Skipped {
                let catch_up = claim.cause == SlotCause::CatchUp;
                due.push(DueSlot { job: claim.job, slot: claim.slot, catch_up, delay });
            }
        }
        Ok(due)
    }

    /// The next occurrence of all, and whose it is.
    pub(super) fn next(&self) -> Option<(&Registered, Timestamp)> {
        self.entries.iter().filter_map(|entry| Some((&entry.registered, entry.next?))).min_by_key(|(_, next)| *next)
    }
}

impl Entry {
    fn look(&mut self, now: Timestamp) -> Option<(Claim, Duration)> {
        let due = decide(&DueInput {
            schedule: &self.schedule,
            zone: &self.registered.timezone,
            ledger: self.ledger,
            now,
            catch_up: self.registered.catch_up == CatchUp::Once,
            grace: GRACE,
        });
        let claim = |slot, cause, missed| Claim { job: self.name.clone(), slot, cause, missed };
        match due {
            Due::Nothing { next, .. } => {
                self.next = next;
                None
            }
            Due::OnTime { slot, missed } => Some((claim(slot, SlotCause::OnTime, missed), Duration::ZERO)),
            Due::CatchUp { slot, missed } => {
                Some((claim(slot, SlotCause::CatchUp, missed), jitter(&self.name, slot, CATCH_UP_SPREAD)))
            }
            Due::Skip { slot, missed } => Some((claim(slot, SlotCause::Skipped, missed), Duration::ZERO)),
        }
    }
}

fn log_claim(claim: &Claim, ours: bool) {
    let Claim { job, slot, cause, missed } = claim;
    match cause {
        _ if !ours => tracing::debug!(job, %slot, "slot was claimed before"),
        SlotCause::Skipped => {
            tracing::warn!(job, %slot, missed, "slots were missed and are skipped (catch_up = \"skip\")")
        }
        SlotCause::CatchUp => tracing::warn!(job, %slot, missed, "slot was missed and is caught up"),
        SlotCause::OnTime if *missed > 0 => tracing::warn!(job, %slot, missed, "older slots were missed"),
        SlotCause::OnTime => tracing::debug!(job, %slot, "slot claimed"),
    }
}
