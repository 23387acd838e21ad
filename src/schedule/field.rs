//! The fields of a cron expression, checked one by one: croner's own errors name neither field nor place, and it lets
//! pass what nobody means (`1,,2`; `JAN` as a minute; `*/90`, which is `0`).

use std::fmt;

use super::{Problem, ScheduleError};

/// A field of a cron expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Field {
    Second,
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
}

/// What is wrong with a part of a field. Displays as the end of a sentence that begins with the part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// Nothing between two commas, or before the first or after the last.
    #[error("has an empty item between its commas")]
    Empty,
    /// Neither a number nor a name.
    #[error("is not {0}")]
    NotAValue(String),
    /// A number the field does not have.
    #[error("is not between {0} and {1}")]
    OutOfRange(u16, u16),
    /// A range whose end comes before its start.
    #[error("is a range that ends before it begins")]
    Backwards,
    /// `*` beside other items.
    #[error("holds `*` beside other items; `*` is every value already")]
    StarInList,
    /// A step that is not a number, or zero.
    #[error("has a step that is not a number from 1")]
    Step,
    /// A step beyond the field's number of values: it would only ever hit the first.
    #[error("has a step beyond the field's {0} values, so it would only ever match the first")]
    StepTooLong(u16),
    /// `5/15`: cron implementations disagree on its meaning.
    #[error("has a step without a range")]
    StepWithoutRange,
    /// `SUN#6`
    #[error("counts weekdays of a month beyond 1 to 5")]
    Nth,
}

/// The part of an item that is wrong, and what is wrong with it.
type Culprit<'a> = (&'a str, FieldProblem);

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Field {
    /// All six, in the order of a six-field expression.
    pub const ALL: [Self; 6] = [Self::Second, Self::Minute, Self::Hour, Self::DayOfMonth, Self::Month, Self::DayOfWeek];

    /// The smallest and the largest number.
    fn range(self) -> (u16, u16) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            // 7 is Sunday again.
            Self::DayOfWeek => (0, 7),
        }
    }

    /// How many different values there are.
    fn values(self) -> u16 {
        let (min, max) = self.range();
        if self == Self::DayOfWeek { 7 } else { max - min + 1 }
    }

    fn expected(self) -> String {
        let (min, max) = self.range();
        match self {
            Self::Second | Self::Minute | Self::Hour | Self::DayOfMonth => format!("a number from {min} to {max}"),
            Self::Month => format!("a number from {min} to {max} or a name from JAN to DEC"),
            Self::DayOfWeek => format!("a number from {min} to {max} or a name from SUN to SAT"),
        }
    }

    /// Checks the field's text, which begins at `column`, and writes it as croner reads it without surprises.
    pub(super) fn check(self, text: &str, column: usize) -> Result<String, ScheduleError> {
        let fail = |part: &str, column: usize, problem: FieldProblem| {
            let len = part.chars().count();
            ScheduleError::at(Problem::Field { field: self, text: part.to_owned(), problem }, column, len)
        };
        if text == "?" && matches!(self, Self::DayOfMonth | Self::DayOfWeek) {
            return Ok("*".to_owned());
        }
        let mut normal: Vec<String> = Vec::new();
        let mut at = column;
        for part in text.split(',') {
            // Keeps every byte where it is, so that a place in it is a place in `part`.
            let upper = part.to_ascii_uppercase();
            match self.item(&upper) {
                Ok(item) => normal.push(item),
                Err((_, FieldProblem::Empty)) => return Err(fail(text, column, FieldProblem::Empty)),
                Err((culprit, problem)) => {
                    let begin = culprit.as_ptr() as usize - upper.as_ptr() as usize;
                    let (before, culprit) = (&part[..begin], &part[begin..begin + culprit.len()]);
                    return Err(fail(culprit, at + before.chars().count(), problem));
                }
            }
            at += part.chars().count() + 1;
        }
        if normal.len() > 1 && normal.iter().any(|item| item == "*") {
            return Err(fail(text, column, FieldProblem::StarInList));
        }
        Ok(normal.join(","))
    }

    /// One item of a list, in upper case.
    fn item(self, text: &str) -> Result<String, Culprit<'_>> {
        if text.is_empty() {
            return Err((text, FieldProblem::Empty));
        }
        if let Some((range, step)) = text.split_once('/') {
            return self.stepped(text, range, step);
        }
        match self {
            _ if text == "*" => return Ok("*".to_owned()),
            Self::DayOfMonth if text == "L" || text == "LW" => return Ok(text.to_owned()),
            Self::DayOfMonth => {
                if let Some(day) = text.strip_suffix('W') {
                    return Ok(format!("{}W", self.value(day)?));
                }
            }
            Self::DayOfWeek => {
                // `% 7`: croner takes 7 for Sunday with `#` but not with `L`.
                if let Some((day, nth)) = text.split_once('#') {
                    let nth = number(nth).filter(|nth| (1..=5).contains(nth)).ok_or((text, FieldProblem::Nth))?;
                    return Ok(format!("{}#{nth}", self.value(day)? % 7));
                }
                if let Some(day) = text.strip_suffix('L').filter(|day| !day.is_empty()) {
                    return Ok(format!("{}L", self.value(day)? % 7));
                }
            }
            _ => {}
        }
        match text.split_once('-') {
            Some((from, to)) => self.span(text, from, to),
            None => Ok(self.value(text)?.to_string()),
        }
    }

    fn stepped<'a>(self, whole: &'a str, range: &'a str, step: &'a str) -> Result<String, Culprit<'a>> {
        let step = number(step).filter(|step| *step > 0).ok_or((whole, FieldProblem::Step))?;
        if step > self.values() {
            return Err((whole, FieldProblem::StepTooLong(self.values())));
        }
        match range.split_once('-') {
            // croner knows "every day" only as `*`, and takes `*/1` for a restriction that either day field may meet.
            _ if range == "*" && step == 1 => Ok("*".to_owned()),
            // Its range for weekdays holds Sunday twice, as 0 and 7.
            _ if range == "*" && self == Self::DayOfWeek => Ok(format!("0-6/{step}")),
            _ if range == "*" => Ok(format!("*/{step}")),
            Some((from, to)) => Ok(format!("{}/{step}", self.span(range, from, to)?)),
            None => {
                self.value(range)?;
                Err((whole, FieldProblem::StepWithoutRange))
            }
        }
    }

    fn span<'a>(self, whole: &'a str, from: &'a str, to: &'a str) -> Result<String, Culprit<'a>> {
        let (from, end) = (self.value(from)?, self.value(to)?);
        // `FRI-SUN`: the Sunday that ends a range is the seventh day.
        let end = if self == Self::DayOfWeek && to == "SUN" { 7 } else { end };
        if from > end { Err((whole, FieldProblem::Backwards)) } else { Ok(format!("{from}-{end}")) }
    }

    fn value(self, text: &str) -> Result<u16, Culprit<'_>> {
        let (min, max) = self.range();
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            let value = number(text).filter(|value| (min..=max).contains(value));
            return value.ok_or((text, FieldProblem::OutOfRange(min, max)));
        }
        let named = |names: &[&str]| names.iter().position(|name| *name == text);
        let index = match self {
            Self::Month => named(&MONTHS).map(|index| index + 1),
            Self::DayOfWeek => named(&WEEKDAYS),
            _ => None,
        };
        index
            .and_then(|index| u16::try_from(index).ok())
            .ok_or_else(|| (text, FieldProblem::NotAValue(self.expected())))
    }
}

/// Digits only: `parse` alone would take `+5`.
fn number(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl FieldProblem {
    pub(super) fn hint(&self, field: Field, text: &str) -> Option<String> {
        let (min, max) = field.range();
        match self {
            Self::StepWithoutRange => {
                let (from, step) = text.split_once('/')?;
                Some(format!("write `{from}-{max}/{step}` to begin at {from}, or `*/{step}` to begin at {min}"))
            }
            Self::Backwards => {
                let (from, to) = text.split_once('-')?;
                let named = from.bytes().all(|b| b.is_ascii_alphabetic());
                let (last, first) = match field {
                    Field::DayOfWeek if named => ("SUN".to_owned(), "MON".to_owned()),
                    Field::DayOfWeek => ("7".to_owned(), "1".to_owned()),
                    Field::Month if named => ("DEC".to_owned(), "JAN".to_owned()),
                    _ => (max.to_string(), min.to_string()),
                };
                let rest = if to.eq_ignore_ascii_case(&first) { first } else { format!("{first}-{to}") };
                Some(format!("to go round the end of the field, write `{from}-{last},{rest}`"))
            }
            Self::NotAValue(_) => {
                let short = text.get(..3)?.to_uppercase();
                let known = match field {
                    Field::Month => MONTHS.contains(&short.as_str()),
                    Field::DayOfWeek => WEEKDAYS.contains(&short.as_str()),
                    _ => false,
                };
                known.then(|| format!("names have three letters: `{short}`"))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}
