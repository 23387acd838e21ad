//! What SQLite is taught: instants in all the forms in which they stand in SQLite's databases, masks, pseudonyms, made-up
//! values. Pure.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::database::sqlite::Cell;
use crate::privacy::key::HmacKey;
use crate::privacy::names;

/// Numbers below are no instants, but days written as 20260131 and the like: as seconds they would lie before March 1973.
const LEAST_SECONDS: i64 = 100_000_000;

/// From here on a number counts milliseconds, then microseconds, then nanoseconds: as seconds they would lie after 5138.
const MILLISECONDS: i64 = 100_000_000_000;

/// Julian days of the years 1 to 9999, in which SQLite holds real instants. <https://www.sqlite.org/lang_datefunc.html>
const JULIAN: std::ops::Range<f64> = 1_721_425.5..5_373_484.5;

/// The Julian day at which 1970 begins.
const JULIAN_1970: f64 = 2_440_587.5;

/// Seconds since 1970 of an instant however it is written; NULL where it cannot be told. Text without a zone is in `zone`. A
/// bare day counts from its end.
pub fn instant(value: &Cell, zone: &TimeZone) -> Cell {
    seconds(value, zone).map_or(Cell::Null, Cell::Real)
}

#[allow(clippy::cast_precision_loss, reason = "to the millisecond is enough")]
fn seconds(value: &Cell, zone: &TimeZone) -> Option<f64> {
    match value {
        Cell::Integer(number) => {
            let (magnitude, mut divisor) = (number.unsigned_abs(), 1.0);
            if magnitude < LEAST_SECONDS.unsigned_abs() {
                return None;
            }
            let mut bound = MILLISECONDS.unsigned_abs();
            while magnitude >= bound && divisor < 1e9 {
                divisor *= 1000.0;
                bound = bound.saturating_mul(1000);
            }
            Some(*number as f64 / divisor)
        }
        Cell::Real(number) if JULIAN.contains(number) => Some((number - JULIAN_1970) * 86_400.0),
        Cell::Real(number) if number.abs() >= LEAST_SECONDS as f64 && number.abs() < MILLISECONDS as f64 => {
            Some(*number)
        }
        Cell::Text(text) => written(text.trim(), zone).map(|at| at.as_millisecond() as f64 / 1000.0),
        _ => None,
    }
}

fn written(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    // `Date` would also take the day of a longer text.
    if text.len() <= 10 {
        let day: Date = text.parse().ok()?;
        let after = day.checked_add(1.day()).ok()?.to_datetime(jiff::civil::Time::midnight());
        return Some(in_zone(after, zone)? - SignedDuration::from_millis(1));
    }
    in_zone(text.parse::<DateTime>().ok()?, zone)
}

/// An hour that comes twice is taken the second time: later, so that rows rather stay.
fn in_zone(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_zoned(local).later().ok().map(|zoned| zoned.timestamp())
}

/// The beginning of an instant's day, month or year, written as it was; what is no instant stays.
pub fn truncate(value: &Cell, unit: &Cell, zone: &TimeZone) -> Cell {
    let Cell::Text(unit) = unit else { return value.clone() };
    let begin = |day: Date| match unit.as_str() {
        "year" => day.first_of_year(),
        "month" => day.first_of_month(),
        _ => day,
    };
    match value {
        Cell::Text(text) => match text.get(..10).and_then(|day| day.parse::<Date>().ok()) {
            None => value.clone(),
            Some(day) => Cell::Text(format!("{}{}", begin(day), midnight(&text[10..]))),
        },
        Cell::Integer(_) | Cell::Real(_) => truncated_number(value, begin, zone).unwrap_or_else(|| value.clone()),
        _ => value.clone(),
    }
}

/// The rest of a written instant with its time set to midnight, its separator and zone kept.
fn midnight(rest: &str) -> String {
    let time = rest.trim_start_matches(['T', ' ', 't']);
    let lead = &rest[..rest.len() - time.len()];
    let zone = time.find(['Z', 'z', '+', '-']).map_or("", |at| &time[at..]);
    let digits = &time[..time.len() - zone.len()];
    let time: String = digits.trim_end().chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    format!("{lead}{time}{zone}")
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "to the millisecond is enough")]
fn truncated_number(value: &Cell, begin: impl Fn(Date) -> Date, zone: &TimeZone) -> Option<Cell> {
    let seconds = seconds(value, zone)?;
    let at = Timestamp::from_millisecond((seconds * 1000.0) as i64).ok()?;
    let day = begin(at.to_zoned(zone.clone()).date());
    let begins = in_zone(day.to_datetime(jiff::civil::Time::midnight()), zone)?.as_second();
    Some(match value {
        Cell::Integer(number) => {
            let unit = (*number as f64 / seconds).round() as i64;
            Cell::Integer(begins * unit)
        }
        Cell::Real(number) if JULIAN.contains(number) => Cell::Real(begins as f64 / 86_400.0 + JULIAN_1970),
        _ => Cell::Real(begins as f64),
    })
}

/// Text with all but its first and last characters as `*`; what is no longer than what would be kept, all of it.
pub fn mask(value: &Cell, first: &Cell, last: &Cell) -> Cell {
    let kept = |cell: &Cell| match cell {
        Cell::Integer(number) => usize::try_from(*number).unwrap_or(0),
        _ => 0,
    };
    let (Some(text), first, last) = (as_text(value), kept(first), kept(last)) else { return value.clone() };
    let count = text.chars().count();
    let is_short = count <= first + last;
    let masked = |(at, c): (usize, char)| if !is_short && (at < first || at >= count - last) { c } else { '*' };
    Cell::Text(text.chars().enumerate().map(masked).collect())
}

/// A keyed hash with a word before it, by which it is known.
pub fn pseudonym(value: &Cell, key: &HmacKey) -> Cell {
    as_text(value).map_or_else(|| value.clone(), |text| Cell::Text(format!("hmac:{}", key.hash(&text))))
}

/// What the ledger calls the person that a value names.
pub fn subject_hmac(value: &Cell, key: &HmacKey) -> Cell {
    as_text(value).map_or(Cell::Null, |text| Cell::Text(key.hash(&text)))
}

/// A keyed hash as a UUID of version 8, by which it is known. RFC 9562, section 5.8.
pub fn pseudonym_uuid(value: &Cell, key: &HmacKey) -> Cell {
    let Some(text) = as_text(value) else { return value.clone() };
    let hash = key.hash(&text);
    let part = |range: std::ops::Range<usize>| &hash[range];
    Cell::Text(format!("{}-{}-8{}-8{}-{}", part(0..8), part(8..12), part(13..16), part(17..20), part(20..32)))
}

/// Something made up, the same for the same `of`.
pub fn fake(kind: &Cell, of: &Cell, key: &HmacKey) -> Cell {
    let Cell::Text(kind) = kind else { return Cell::Null };
    // A row that is about nobody gets something made up as well.
    let of = as_text(of).unwrap_or_default();
    let number = |purpose: &str| u64::from_str_radix(&key.hash(&format!("{purpose}:{of}"))[..7], 16).unwrap_or(0);
    let byte =
        |purpose: &str| usize::from(u8::from_str_radix(&key.hash(&format!("{purpose}:{of}"))[..2], 16).unwrap_or(0));
    let first = || names::FIRST[byte("first") % names::FIRST.len()];
    let last = || names::LAST[byte("last") % names::LAST.len()];
    Cell::Text(match kind.as_str() {
        "first_name" => first().to_owned(),
        "last_name" => last().to_owned(),
        "email" => format!("user-{}@example.invalid", &key.hash(&format!("email:{of}"))[..16]),
        "phone" => format!("+1202555{:04}", 100 + number("phone") % 100),
        "ip" => format!("192.0.2.{}", number("ip") % 254 + 1),
        _ => format!("{} {}", first(), last()),
    })
}

fn as_text(value: &Cell) -> Option<String> {
    match value {
        Cell::Text(text) => Some(text.clone()),
        Cell::Integer(number) => Some(number.to_string()),
        Cell::Real(number) => Some(number.to_string()),
        Cell::Null | Cell::Blob(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(value: Cell) -> Option<String> {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        match instant(&value, &zone) {
            Cell::Real(seconds) => {
                Some(Timestamp::from_millisecond((seconds * 1000.0).round() as i64).unwrap().to_string())
            }
            _ => None,
        }
    }

    #[test]
    fn instants_are_read_in_every_form() {
        let text = |text: &str| Cell::Text(text.to_owned());
        for (value, expected) in [
            (text("2026-01-31T12:00:00Z"), Some("2026-01-31T12:00:00Z")),
            (text("2026-01-31 12:00:00+02:00"), Some("2026-01-31T10:00:00Z")),
            (text("2026-01-31 12:00:00"), Some("2026-01-31T11:00:00Z")),
            (text("2026-01-31T12:00:00.250"), Some("2026-01-31T11:00:00.25Z")),
            (text("2026-01-31 12:00"), Some("2026-01-31T11:00:00Z")),
            // Not before the day is over.
            (text("2026-01-31"), Some("2026-01-31T22:59:59.999Z")),
            (Cell::Integer(1_769_860_800), Some("2026-01-31T12:00:00Z")),
            (Cell::Integer(1_769_860_800_000), Some("2026-01-31T12:00:00Z")),
            (Cell::Integer(1_769_860_800_000_000), Some("2026-01-31T12:00:00Z")),
            (Cell::Real(2_461_072.0), Some("2026-01-31T12:00:00Z")),
            (Cell::Real(1_769_860_800.5), Some("2026-01-31T12:00:00.5Z")),
            // A day written as a number, and what is no instant at all.
            (Cell::Integer(20_260_131), None),
            (Cell::Integer(0), None),
            (text("yesterday"), None),
            (text(""), None),
            (Cell::Null, None),
        ] {
            assert_eq!(at(value.clone()).as_deref(), expected, "{value:?}");
        }
    }

    #[test]
    fn an_hour_that_comes_twice_is_the_later_one() {
        assert_eq!(at(Cell::Text("2026-10-25 02:30:00".to_owned())).as_deref(), Some("2026-10-25T01:30:00Z"));
    }

    #[test]
    fn what_is_truncated_is_written_as_before_and_stays_when_truncated_again() {
        let zone = TimeZone::UTC;
        let month = Cell::Text("month".to_owned());
        for (value, expected) in [
            (Cell::Text("2026-03-31T12:34:56.7Z".to_owned()), Cell::Text("2026-03-01T00:00:00.0Z".to_owned())),
            (Cell::Text("2026-03-31 12:34+02:00".to_owned()), Cell::Text("2026-03-01 00:00+02:00".to_owned())),
            (Cell::Text("2026-03-31".to_owned()), Cell::Text("2026-03-01".to_owned())),
            (Cell::Text("unknown".to_owned()), Cell::Text("unknown".to_owned())),
            (Cell::Integer(1_774_960_496), Cell::Integer(1_772_323_200)),
            (Cell::Integer(1_774_960_496_789), Cell::Integer(1_772_323_200_000)),
            (Cell::Null, Cell::Null),
        ] {
            let truncated = truncate(&value, &month, &zone);
            assert_eq!(truncated, expected);
            assert_eq!(truncate(&truncated, &month, &zone), truncated);
        }
    }

    #[test]
    fn masks_keep_the_ends_but_never_all() {
        let mask = |text: &str, first, last| match mask(
            &Cell::Text(text.to_owned()),
            &Cell::Integer(first),
            &Cell::Integer(last),
        ) {
            Cell::Text(text) => text,
            other => format!("{other:?}"),
        };
        assert_eq!(mask("Müller-Lüdenscheidt", 1, 2), "M****************dt");
        assert_eq!(mask("abc", 2, 2), "***");
        assert_eq!(mask("abc", 0, 0), "***");
    }
}
