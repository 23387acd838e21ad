//! Instants as the store holds them: milliseconds since the epoch.

use jiff::Timestamp;

/// The instant as it is stored.
pub(super) fn to_ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A stored instant. What lies outside jiff's years −9999 to 9999 can only be damage and is shown as the epoch.
pub(super) fn from_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}
