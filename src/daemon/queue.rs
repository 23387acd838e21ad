//! The queue of claimed slots: at most one waiting per job, started in order as far as there is room.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::run::Attempts;

/// A claimed slot that waits for its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub job: String,
    pub slot: Timestamp,
    pub catch_up: bool,
    /// Whether its job is a routine one, for which there is room of its own.
    pub routine: bool,
    /// What was tried before.
    pub before: Attempts,
    pub not_before: Instant,
}

/// Claimed slots in their order, and the jobs that are running.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By the order in which their jobs began to wait.
    waiting: BTreeMap<u64, Waiting>,
    /// Each waiting job's place.
    places: HashMap<String, u64>,
    last_place: u64,
    running: BTreeSet<String>,
    /// Those of them that are routine.
    routine: BTreeSet<String>,
}

/// How many routine runs may go on at once, beside the others.
const ROUTINE_ROOM: usize = 4;

impl Queue {
    /// Adds a slot. If the job has one waiting, the newer of the two stays, in the place of the older one, so that a job
    /// whose slots come faster than its turn still gets its turn; the other is returned, to be settled.
    pub(super) fn push(&mut self, new: Waiting) -> Option<Waiting> {
        if let Some(place) = self.places.get(&new.job)
            && let Some(old) = self.waiting.get_mut(place)
        {
            return Some(if old.slot >= new.slot { new } else { std::mem::replace(old, new) });
        }
        self.last_place += 1;
        self.places.insert(new.job.clone(), self.last_place);
        self.waiting.insert(self.last_place, new);
        None
    }

    /// The next slot that may start now: the first whose job is not running and whose time has come.
    pub(super) fn pop(&mut self, room: usize, now: Instant) -> Option<Waiting> {
        let routine = self.routine.len();
        let (has_room, has_routine_room) = (self.running.len() - routine < room, routine < ROUTINE_ROOM);
        if !has_room && !has_routine_room {
            return None;
        }
        let fits = |slot: &Waiting| if slot.routine { has_routine_room } else { has_room };
        let ready = |slot: &Waiting| slot.not_before <= now && fits(slot) && !self.running.contains(&slot.job);
        let place = *self.waiting.iter().find(|(_, slot)| ready(slot))?.0;
        let slot = self.take(place)?;
        self.running.insert(slot.job.clone());
        if slot.routine {
            self.routine.insert(slot.job.clone());
        }
        Some(slot)
    }

    fn take(&mut self, place: u64) -> Option<Waiting> {
        let slot = self.waiting.remove(&place)?;
        self.places.remove(&slot.job);
        Some(slot)
    }

    /// A job's run has ended.
    pub(super) fn finished(&mut self, job: &str) {
        self.running.remove(job);
        self.routine.remove(job);
    }

    /// Puts a slot back that could not be run yet, unless a newer one of its job waits by now; then it is returned.
    pub(super) fn put_back(&mut self, slot: Waiting, pause: Duration, now: Instant) -> Option<Waiting> {
        self.push(Waiting { not_before: now + pause, ..slot })
    }

    /// Drops the slots of jobs that are no more, and returns them.
    pub(super) fn retain(&mut self, known: &BTreeSet<String>) -> Vec<Waiting> {
        let gone: Vec<u64> =
            self.waiting.iter().filter(|(_, slot)| !known.contains(&slot.job)).map(|(place, _)| *place).collect();
        gone.into_iter().filter_map(|place| self.take(place)).collect()
    }

    /// Whether a job has a slot that waits.
    pub(super) fn waits(&self, job: &str) -> bool {
        self.places.contains_key(job)
    }

    /// How many slots wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The jobs that are running.
    pub(super) fn running(&self) -> &BTreeSet<String> {
        &self.running
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn slot(job: &str, second: i64) -> Waiting {
        let slot = Timestamp::from_second(second).unwrap();
        Waiting {
            job: job.into(),
            slot,
            catch_up: false,
            routine: false,
            before: Attempts::default(),
            not_before: Instant::now(),
        }
    }

    #[test]
    fn slots_start_in_their_order_as_far_as_there_is_room() {
        let mut queue = Queue::default();
        for job in ["c", "a", "b"] {
            assert_eq!(queue.push(slot(job, 0)), None);
        }
        let later = Instant::now() + Duration::from_secs(1);
        assert_eq!(queue.pop(2, later).unwrap().job, "c");
        assert_eq!(queue.pop(2, later).unwrap().job, "a");
        assert_eq!(queue.pop(2, later), None);
        queue.finished("c");
        assert_eq!(queue.pop(2, later).unwrap().job, "b");
    }

    #[test]
    fn routine_runs_do_not_wait_behind_the_others_nor_the_others_behind_them() {
        let mut queue = Queue::default();
        let later = Instant::now() + Duration::from_secs(1);
        for job in ["long", "longer"] {
            queue.push(slot(job, 0));
        }
        for number in 0..=ROUTINE_ROOM {
            queue.push(Waiting { routine: true, ..slot(&format!("health{number}"), 0) });
        }
        let started: Vec<String> = std::iter::from_fn(|| queue.pop(1, later)).map(|slot| slot.job).collect();
        assert_eq!(started, ["long", "health0", "health1", "health2", "health3"]);
        queue.finished("health1");
        assert_eq!(queue.pop(1, later).unwrap().job, "health4");
        queue.finished("long");
        assert_eq!(queue.pop(1, later).unwrap().job, "longer");
    }

    #[test]
    fn a_job_that_runs_waits_for_its_end_and_keeps_only_its_newest_slot() {
        let mut queue = Queue::default();
        let later = Instant::now() + Duration::from_secs(1);
        queue.push(slot("a", 0));
        queue.pop(9, later).unwrap();
        assert_eq!(queue.push(slot("a", 60)), None);
        assert_eq!(queue.pop(9, later), None, "a job never overlaps itself");
        assert_eq!(queue.push(slot("a", 120)).unwrap().slot, Timestamp::from_second(60).unwrap());
        assert_eq!(queue.waiting(), 1);
        queue.finished("a");
        assert_eq!(queue.pop(9, later).unwrap().slot, Timestamp::from_second(120).unwrap());
    }

    #[test]
    fn a_newer_slot_takes_the_place_of_the_older_one() {
        let mut queue = Queue::default();
        let later = Instant::now() + Duration::from_secs(1);
        for job in ["a", "b"] {
            queue.push(slot(job, 0));
        }
        queue.pop(1, later).unwrap();
        for job in ["a", "b"] {
            queue.push(slot(job, 60));
        }
        queue.finished("a");
        assert_eq!(queue.pop(1, later).unwrap().job, "b", "or else it would wait for ever behind jobs due as often");
    }

    #[test]
    fn a_slot_put_back_yields_to_a_newer_one() {
        let mut queue = Queue::default();
        let now = Instant::now();
        queue.push(slot("a", 60));
        assert!(queue.put_back(slot("a", 0), Duration::ZERO, now).is_some());
        assert_eq!(queue.waiting(), 1);
    }
}
