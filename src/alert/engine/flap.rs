//! Whether something goes back and forth.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// So many turns within [`WINDOW`] are a storm: the third time it is bad.
const MANY: usize = 5;

/// Over what time turns are counted.
const WINDOW: SignedDuration = SignedDuration::from_hours(2);

/// A storm is over when nothing has turned for so long.
const QUIET: SignedDuration = SignedDuration::from_hours(1);

/// The last turns from good to bad and back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Flips(Vec<Timestamp>);

impl Flips {
    /// Notes a turn. What lies in the future comes of a clock that was wrong, and counts no more than what is long ago.
    pub fn note(&mut self, now: Timestamp) {
        self.0.retain(|at| *at <= now && now.duration_since(*at) < WINDOW);
        self.0.push(now);
        if self.0.len() > MANY {
            self.0.remove(0);
        }
    }

    /// Whether it turns so often that nobody wants to hear of each turn.
    pub fn are_many(&self, now: Timestamp) -> bool {
        self.0.iter().filter(|at| **at <= now && now.duration_since(**at) < WINDOW).count() >= MANY
    }

    /// Whether it has been quiet for long enough.
    pub fn are_over(&self, now: Timestamp) -> bool {
        self.0.last().is_none_or(|last| *last > now || now.duration_since(*last) >= QUIET)
    }
}
