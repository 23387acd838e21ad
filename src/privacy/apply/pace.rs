//! How much is taken at once, so that one transaction takes about so long. Pure.

use std::time::Duration;

/// The number of rows of a window, found by trying.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    target: Duration,
    rows: u64,
    /// Seconds that a changed row takes, as far as that was seen.
    each: Option<f64>,
}

/// Where it begins: so few that even slow rows take no second.
const FIRST: u64 = 500;

/// From how many changed rows on a window tells what one takes.
const TELLING: u64 = 100;

/// The most rows at once.
const MOST: u64 = 200_000;

impl Pace {
    /// A pace towards this length of a transaction.
    pub fn new(target: Duration) -> Self {
        Self { target, rows: FIRST, each: None }
    }

    /// How many rows the next window has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// After a transaction that changed so many: at most twice as many when it was quick, as many fewer as it was too slow.
    /// Where few rows match windows are quick, but no larger than would do if all of the next one's did.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive")]
    pub fn took(&mut self, time: Duration, changed: u64) {
        let target = self.target.as_secs_f64();
        let factor = target / time.as_secs_f64().max(0.000_1);
        if changed >= TELLING {
            self.each = Some(time.as_secs_f64() / changed as f64);
        }
        let most = self.each.map_or(MOST, |each| (target * 2.0 / each.max(1e-9)).round() as u64).clamp(1, MOST);
        let rows = (self.rows as f64 * factor.min(2.0)).round() as u64;
        // Small differences are the weather.
        if !(0.8..1.25).contains(&factor) {
            self.rows = rows.clamp(1, most);
        }
    }

    /// After a transaction that was ended because it took too long, or waited for a lock.
    pub fn halve(&mut self) {
        self.rows = (self.rows / 2).max(1);
    }

    /// Whether nothing less can be tried.
    pub fn is_least(&self) -> bool {
        self.rows == 1
    }

    /// How long a transaction may take before the server ends it: so that with the usual targets none holds its locks for a
    /// second. A row that takes longer by itself is given more: there is nothing less to try.
    pub fn longest(&self) -> Duration {
        self.target * if self.is_least() { 10 } else { 3 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_by_no_more_than_twice_and_shrinks_to_what_fits() {
        let mut pace = Pace::new(Duration::from_millis(300));
        pace.took(Duration::from_millis(1), 0);
        assert_eq!(pace.rows(), 1000);
        pace.took(Duration::from_millis(290), 0);
        assert_eq!(pace.rows(), 1000);
        pace.took(Duration::from_millis(3000), 0);
        assert!((99..=100).contains(&pace.rows()), "{}", pace.rows());
        for _ in 0..20 {
            pace.halve();
        }
        assert_eq!(pace.rows(), 1);
        for _ in 0..40 {
            pace.took(Duration::ZERO, 0);
        }
        assert_eq!(pace.rows(), MOST);
    }

    #[test]
    fn windows_in_which_nothing_matches_are_no_larger_than_full_ones_could_be() {
        let mut pace = Pace::new(Duration::from_millis(300));
        pace.took(Duration::from_millis(10), 1000);
        for _ in 0..40 {
            pace.took(Duration::from_millis(1), 0);
        }
        assert_eq!(pace.rows(), 60_000);
    }

    #[test]
    fn no_transaction_takes_a_second_unless_one_row_does() {
        let mut pace = Pace::new(Duration::from_millis(300));
        assert_eq!(pace.longest(), Duration::from_millis(900));
        while !pace.is_least() {
            pace.halve();
        }
        assert_eq!(pace.longest(), Duration::from_secs(3));
    }
}
