//! The queue of claimed slots: at most one waiting per job, started in order as far as there is room.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// A claimed slot that waits for its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub job: String,
    pub slot: Timestamp,
    pub catch_up: bool,
    /// Runs this slot has had already.
    pub attempts: u32,
    pub not_before: Instant,
}

/// Claimed slots in their order, and the jobs that are running.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    /// The slot each job waits for, for the look-up when a newer one comes.
    slots: BTreeMap<String, Timestamp>,
    running: BTreeSet<String>,
}

impl Queue {
    /// Adds a slot. If the job has one waiting, the newer of the two stays; the other is returned, to be settled.
    pub(super) fn push(&mut self, new: Waiting) -> Option<Waiting> {
        let superseded = match self.slots.get(&new.job) {
            Some(slot) if *slot >= new.slot => return Some(new),
            Some(_) => {
                let at = self.waiting.iter().position(|old| old.job == new.job);
                at.and_then(|at| self.waiting.remove(at))
            }
            None => None,
        };
        self.slots.insert(new.job.clone(), new.slot);
        self.waiting.push_back(new);
        superseded
    }

    /// The next slot that may start now: the first whose job is not running and whose time has come.
    pub(super) fn pop(&mut self, room: usize, now: Instant) -> Option<Waiting> {
        if self.running.len() >= room {
            return None;
        }
        let at = self.waiting.iter().position(|slot| slot.not_before <= now && !self.running.contains(&slot.job))?;
        let slot = self.waiting.remove(at)?;
        self.slots.remove(&slot.job);
        self.running.insert(slot.job.clone());
        Some(slot)
    }

    /// A job's run has ended.
    pub(super) fn finished(&mut self, job: &str) {
        self.running.remove(job);
    }

    /// Puts a slot back that could not be run yet, unless a newer one of its job waits by now; then it is returned.
    pub(super) fn put_back(&mut self, slot: Waiting, pause: Duration, now: Instant) -> Option<Waiting> {
        self.push(Waiting { not_before: now + pause, ..slot })
    }

    /// Drops the slots of jobs that are no more, and returns them.
    pub(super) fn retain(&mut self, known: &BTreeSet<String>) -> Vec<Waiting> {
        let (keep, gone): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(|slot| known.contains(&slot.job));
        self.waiting = keep.into();
        for slot in &gone {
            self.slots.remove(&slot.job);
        }
        gone
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
        Waiting { job: job.into(), slot, catch_up: false, attempts: 0, not_before: Instant::now() }
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
    fn a_slot_put_back_yields_to_a_newer_one() {
        let mut queue = Queue::default();
        let now = Instant::now();
        queue.push(slot("a", 60));
        assert!(queue.put_back(slot("a", 0), Duration::ZERO, now).is_some());
        assert_eq!(queue.waiting(), 1);
    }
}
