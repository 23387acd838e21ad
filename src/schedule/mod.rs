//! When: cron expressions and zones to instants, and what is due. Pure: `now` is an argument.
//!
//! croner knows the calendar: which wall-clock times an expression names. What becomes of those times where a zone's
//! clock jumps is decided here ([`Schedule::next`]), because croner tells "at 02:30" from "every half hour" by whether
//! all three time fields hold a single number, so `30 2,14 * * *` would run twice in October and not at all in March.

mod due;
mod error;
mod field;
mod jitter;
mod occurrences;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;

pub use due::{Due, DueInput, decide};
pub use error::{Problem, ScheduleError};
pub use field::{Field, FieldProblem};
pub use jitter::jitter;

/// A checked cron expression: five fields (minute, hour, day of month, month, day of week), six with seconds first, or
/// a shorthand such as `@daily`. Names (`MON`, `jan`), lists, ranges and steps work as in Vixie cron; if both day
/// fields are restricted, a day needs to match only one of them. Beyond that `L` (last day of the month), `LW`, `15W`,
/// `SUN#1` and `5L`.
///
/// Cheap to clone. Equal if written alike.
#[derive(Clone)]
pub struct Schedule(Arc<Checked>);

struct Checked {
    text: String,
    cron: Cron,
    /// One bit for each second, minute, hour that is named.
    seconds: u64,
    minutes: u64,
    hours: u64,
}

/// The shorthands of Vixie cron that name a time.
const SHORTHANDS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

impl Schedule {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// When it is not one, or names a day that never comes (`0 0 31 2 *`); the error tells where.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let words = words(text);
        let whole = |problem| ScheduleError::whole(problem, text);
        match words.as_slice() {
            [] => Err(whole(Problem::Empty)),
            [(column, word), ..] if word.starts_with('@') => {
                let known = SHORTHANDS.iter().find(|(name, _)| words.len() == 1 && name.eq_ignore_ascii_case(word));
                let unknown = || {
                    let written = text.trim();
                    ScheduleError::at(Problem::Shorthand(written.to_owned()), *column, written.chars().count())
                };
                let (_, meaning) = known.ok_or_else(unknown)?;
                Self::check(text, &self::words(meaning))
            }
            words => Self::check(text, words),
        }
    }

    fn check(text: &str, words: &[(usize, &str)]) -> Result<Self, ScheduleError> {
        let whole = |problem| ScheduleError::whole(problem, text);
        let fields = match words.len() {
            5 => &Field::ALL[1..],
            6 => &Field::ALL[..],
            count => return Err(whole(Problem::FieldCount(count))),
        };
        let normal: Vec<String> = fields
            .iter()
            .zip(words)
            .map(|(field, (column, word))| field.check(word, *column))
            .collect::<Result<_, _>>()?;
        let cron = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build()
            .parse(&normal.join(" "))
            .map_err(|error| whole(Problem::Refused(error.to_string())))?;
        // From a leap year, so that 29 February is found at once; the search ends in the year 5000.
        if cron.find_next_occurrence(&DateTime::constant(1999, 12, 31, 23, 59, 59, 0), false).is_err() {
            let [day, month] = [words[words.len() - 3], words[words.len() - 2]];
            let len = month.0 + month.1.chars().count() - day.0;
            let problem = Problem::Impossible { day: day.1.to_owned(), month: month.1.to_owned() };
            return Err(ScheduleError::at(problem, day.0, len));
        }
        let bits = |values: Vec<u16>| values.into_iter().fold(0, |bits, value| bits | 1 << value);
        Ok(Self(Arc::new(Checked {
            text: text.to_owned(),
            seconds: bits(cron.pattern.seconds.values()),
            minutes: bits(cron.pattern.minutes.values()),
            hours: bits(cron.pattern.hours.values()),
            cron,
        })))
    }

    /// The expression as written.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }
}

/// The words of a text, each with its column in characters.
fn words(text: &str) -> Vec<(usize, &str)> {
    let column = |word: &str| text[..word.as_ptr() as usize - text.as_ptr() as usize].chars().count();
    text.split_whitespace().map(|word| (column(word), word)).collect()
}

impl FromStr for Schedule {
    type Err = ScheduleError;
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        Self::parse(text)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({:?})", self.0.text)
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Schedule {}
