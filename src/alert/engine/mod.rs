//! From what a check says to the incident it is: a pure function of the incident so far, an observation, the settings and
//! the clock.
//!
//! A check must be bad some times in a row before it is an incident, and good some times in a row before that is over, so
//! that one slow moment wakes nobody and one good moment ends nothing. One that goes back and forth all the same is told
//! of once, as flapping, until it has been quiet for a while.
//!
//! What could not be seen (UNKNOWN) can be an incident of its own, but it is no news about one that is worse: losing sight
//! of a fire does not put it out.

mod flap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::state::{Incident, Observation, Status};
use flap::Flips;

/// What is kept of a check between two looks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Track {
    /// Bad looks in a row.
    bad: u32,
    /// Since when.
    bad_since: Option<Timestamp>,
    /// Good looks in a row.
    good: u32,
    /// Looks in a row that found another severity than the incident's, all in the same direction.
    differing: u32,
    /// Whether that direction is up.
    rising: bool,
    /// Looks in a row that found nothing to look at.
    absent: u32,
    /// When it last turned from good to bad and back.
    flips: Flips,
    /// What it said last, of what counts.
    last: Option<Status>,
}

/// How patient to be with a check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// Bad looks in a row that make an incident; at least 1.
    pub enter_after: u32,
    /// Good looks in a row that end it; at least 1.
    pub leave_after: u32,
    /// The figure it must come back to before a look counts as good, and whether high figures are the bad ones.
    pub clear: Option<(f64, bool)>,
    /// Bad looks count for nothing: there is maintenance.
    pub maintenance: bool,
    /// No look counts: what it goes through is down.
    pub held: bool,
}

/// After so many looks in a row that found nothing to look at, an incident is over: what it was about is gone.
const GONE_AFTER: u32 = 12;

impl Track {
    /// Whether the last look that counted found it CRITICAL.
    pub fn is_critical(&self) -> bool {
        self.last == Some(Status::Critical)
    }

    /// Takes an observation. `incident`: the one that is open; changed in place, closed in place, or opened.
    pub fn observe(&mut self, incident: &mut Option<Incident>, seen: &Observation, patience: Patience, now: Timestamp) {
        if patience.held {
            return;
        }
        match seen.status {
            Status::NotApplicable => self.absent(incident, seen, now),
            Status::Ok => self.good(incident, seen, patience, now),
            Status::Unknown | Status::Warning | Status::Critical if patience.maintenance => {}
            Status::Unknown | Status::Warning | Status::Critical => self.bad(incident, seen, patience, now),
        }
    }

    /// Counts for nothing, unless it goes on and on.
    fn absent(&mut self, incident: &mut Option<Incident>, seen: &Observation, now: Timestamp) {
        self.absent += 1;
        if self.absent >= GONE_AFTER
            && let Some(open) = incident
        {
            close(open, seen, now);
            *self = Self::default();
        }
    }

    fn good(&mut self, incident: &mut Option<Incident>, seen: &Observation, patience: Patience, now: Timestamp) {
        self.absent = 0;
        if let Some(open) = incident
            && !patience.is_clear(seen)
        {
            // Better, but not well enough to call it over.
            (self.good, self.bad) = (0, 0);
            open.last = seen.clone();
            return;
        }
        self.turn(Status::Ok, now);
        self.good = self.good.saturating_add(1);
        (self.bad, self.bad_since, self.differing) = (0, None, 0);
        let Some(open) = incident else { return };
        open.last = seen.clone();
        let is_quiet = open.flapping_at.is_none() || self.flips.are_over(now);
        if self.good >= patience.leave_after && is_quiet {
            close(open, seen, now);
        }
    }

    fn bad(&mut self, incident: &mut Option<Incident>, seen: &Observation, patience: Patience, now: Timestamp) {
        self.absent = 0;
        self.turn(seen.status, now);
        self.good = 0;
        self.bad = self.bad.saturating_add(1);
        let since = *self.bad_since.get_or_insert(seen.at);
        let is_storm = self.flips.are_many(now);
        match incident {
            Some(open) => {
                self.go_on(open, seen, patience, now);
                if is_storm && open.flapping_at.is_none() {
                    open.flapping_at = Some(now);
                    open.changed_at = now;
                } else if open.flapping_at.is_some() && self.flips.are_over(now) {
                    open.flapping_at = None;
                    open.status = seen.status;
                    open.changed_at = now;
                }
            }
            None if self.bad >= patience.enter_after || is_storm => {
                let mut new = open(seen, since, now);
                new.flapping_at = is_storm.then_some(now);
                *incident = Some(new);
            }
            None => {}
        }
    }

    /// A bad look while there is an incident.
    fn go_on(&mut self, open: &mut Incident, seen: &Observation, patience: Patience, now: Timestamp) {
        open.last = seen.clone();
        if is_worse(seen, &open.at_worst, patience) {
            open.at_worst = seen.clone();
        }
        let is_news = seen.status != open.status && !(seen.status == Status::Unknown && open.status > Status::Unknown);
        if !is_news || open.flapping_at.is_some() {
            self.differing = 0;
            if open.flapping_at.is_some() && seen.status > open.status {
                open.status = seen.status;
                open.worst = open.worst.max(seen.status);
            }
            return;
        }
        let rising = seen.status > open.status;
        self.differing = if self.rising == rising { self.differing + 1 } else { 1 };
        self.rising = rising;
        let enough = if rising { patience.enter_after } else { patience.leave_after };
        if self.differing >= enough {
            self.differing = 0;
            open.status = seen.status;
            open.changed_at = now;
            if open.worst < seen.status {
                open.worst = seen.status;
                // Who is on a WARNING has not said to be on a CRITICAL.
                (open.acked_at, open.acked_by) = (None, None);
            }
        }
    }

    fn turn(&mut self, status: Status, now: Timestamp) {
        if self.last.is_some_and(|last| (last == Status::Ok) != (status == Status::Ok)) {
            self.flips.note(now);
        }
        self.last = Some(status);
    }
}

impl Patience {
    /// Whether a figure has come back far enough.
    fn is_clear(&self, seen: &Observation) -> bool {
        match (self.clear, seen.number) {
            (Some((clear, true)), Some(figure)) => figure <= clear,
            (Some((clear, false)), Some(figure)) => figure >= clear,
            _ => true,
        }
    }
}

/// Whether an observation is worse than the worst so far: by its status, then by its figure.
fn is_worse(seen: &Observation, worst: &Observation, patience: Patience) -> bool {
    if seen.status != worst.status {
        return seen.status > worst.status;
    }
    let high_is_bad = patience.clear.is_none_or(|(_, high)| high);
    match (seen.number, worst.number) {
        (Some(seen), Some(worst)) if high_is_bad => seen > worst,
        (Some(seen), Some(worst)) => seen < worst,
        _ => false,
    }
}

fn open(seen: &Observation, since: Timestamp, now: Timestamp) -> Incident {
    Incident {
        id: Uuid::now_v7().to_string(),
        key: seen.key.clone(),
        status: seen.status,
        worst: seen.status,
        since,
        opened_at: now,
        changed_at: now,
        closed_at: None,
        flapping_at: None,
        acked_at: None,
        acked_by: None,
        last: seen.clone(),
        at_worst: seen.clone(),
    }
}

/// Ends an incident.
pub(super) fn close(open: &mut Incident, seen: &Observation, now: Timestamp) {
    open.last = seen.clone();
    open.closed_at = Some(now);
    open.changed_at = now;
}
