//! Until when PostgreSQL's major versions get fixes. To be extended once a year.

use jiff::civil::{Date, date};

/// Where the dates come from.
pub(super) const SOURCE: &str = "https://www.postgresql.org/support/versioning/";

/// Major versions with the day of their last release, as [`SOURCE`] says it.
const POSTGRES: [(u32, Date); 9] = [
    (10, date(2022, 11, 10)),
    (11, date(2023, 11, 9)),
    (12, date(2024, 11, 21)),
    (13, date(2025, 11, 13)),
    (14, date(2026, 11, 12)),
    (15, date(2027, 11, 11)),
    (16, date(2028, 11, 9)),
    (17, date(2029, 11, 8)),
    (18, date(2030, 11, 14)),
];

/// The day a major version's support ends, and whether it is known. Of an older one it had ended before the table's
/// first, of a newer one it will end after the table's last.
pub(super) fn of_postgres(major: u32) -> (Date, bool) {
    let (oldest, newest) = (POSTGRES[0], POSTGRES[POSTGRES.len() - 1]);
    match POSTGRES.iter().find(|(known, _)| *known == major) {
        Some((_, end)) => (*end, true),
        None if major < oldest.0 => (oldest.1, false),
        None => (newest.1, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dates_are_in_order_and_unknown_versions_lie_outside() {
        assert!(POSTGRES.is_sorted());
        assert_eq!(of_postgres(15), (date(2027, 11, 11), true));
        assert_eq!(of_postgres(9), (date(2022, 11, 10), false));
        assert_eq!(of_postgres(19), (date(2030, 11, 14), false));
    }
}
