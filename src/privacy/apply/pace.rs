//! How much is taken at once, so that one transaction takes about so long. Pure.

use std::time::Duration;

/// The number of rows of a window, found by trying.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    target: Duration,
    rows: u64,
}

/// Where it begins: so few that even slow rows take no second.
const FIRST: u64 = 500;

/// The most rows at once.
const MOST: u64 = 200_000;

impl Pace {
    /// A pace towards this length of a transaction.
    pub fn new(target: Duration) -> Self {
        Self { target, rows: FIRST }
    }

    /// How many rows the next window has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// After a transaction: at most twice as many when it was quick, as many fewer as it was too slow.
    pub fn took(&mut self, time: Duration) {
        let factor = self.target.as_secs_f64() / time.as_secs_f64().max(0.000_1);
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive"
        )]
        let rows = (self.rows as f64 * factor.min(2.0)) as u64;
        // Small differences are the weather.
        if !(0.8..1.25).contains(&factor) {
            self.rows = rows.clamp(1, MOST);
        }
    }

    /// After a transaction that was ended because it took too long, or waited for a lock.
    pub fn halve(&mut self) {
        self.rows = (self.rows / 2).max(1);
    }

    /// How long a transaction may take before the server ends it: ten times the target, by the rule of thumb that such a
    /// one holds its locks for long enough to be noticed.
    pub fn longest(&self) -> Duration {
        self.target * 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_by_no_more_than_twice_and_shrinks_to_what_fits() {
        let mut pace = Pace::new(Duration::from_millis(300));
        pace.took(Duration::from_millis(1));
        assert_eq!(pace.rows(), 1000);
        pace.took(Duration::from_millis(290));
        assert_eq!(pace.rows(), 1000);
        pace.took(Duration::from_millis(3000));
        assert!((99..=100).contains(&pace.rows()), "{}", pace.rows());
        for _ in 0..20 {
            pace.halve();
        }
        assert_eq!(pace.rows(), 1);
        for _ in 0..40 {
            pace.took(Duration::ZERO);
        }
        assert_eq!(pace.rows(), MOST);
    }
}
