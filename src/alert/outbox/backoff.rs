//! How long to wait before another attempt.

use std::time::Duration;

use uuid::Uuid;

/// The first pause at its longest; it doubles.
const FIRST: Duration = Duration::from_millis(4500);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(300);

/// The longest pause that the other side may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// The pause after so many attempts in vain (1: the first), of which at most a half is cut off by chance, so that those
/// who wait for the same server do not come back together.
pub(super) fn pause(attempts: u32, asked: Option<Duration>) -> Duration {
    let whole = FIRST.checked_mul(2_u32.saturating_pow(attempts.saturating_sub(1).min(20))).unwrap_or(LONGEST);
    let pause = whole.min(LONGEST).mul_f64(1.0 - chance() / 2.0);
    asked.map_or(pause, |asked| asked.min(LONGEST_ASKED).max(pause))
}

/// From 0 to 1.
fn chance() -> f64 {
    // The last bytes of a UUIDv7 are random.
    let [.., high, low] = *Uuid::now_v7().as_bytes();
    f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pause_is_shorter_than_five_seconds_and_the_others_grow_to_five_minutes() {
        for _ in 0..100 {
            assert!((Duration::from_millis(2250)..=FIRST).contains(&pause(1, None)));
            assert!((FIRST..=FIRST * 2).contains(&pause(2, None)));
            assert!((LONGEST / 2..=LONGEST).contains(&pause(30, None)));
        }
    }

    #[test]
    fn what_the_other_side_asks_for_is_heeded_within_reason() {
        let minute = Duration::from_secs(60);
        assert_eq!(pause(1, Some(minute)), minute);
        assert_eq!(pause(1, Some(minute * 100_000)), LONGEST_ASKED);
        assert!(pause(30, Some(Duration::ZERO)) >= LONGEST / 2);
    }
}
