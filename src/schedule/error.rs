//! What can be wrong with a schedule, and where in it.

use crate::fault::Fault;

use super::field::{Field, FieldProblem};

/// A text that is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ScheduleError {
    /// What is wrong.
    pub problem: Problem,
    /// Where the offending text begins: characters from the start of the expression; `None`: the whole of it.
    pub column: Option<usize>,
    /// How many characters the offending text has.
    pub len: usize,
}

/// What is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing but blanks.
    #[error("the schedule is empty")]
    Empty,
    /// Neither five nor six fields.
    #[error(
        "a schedule has 5 fields (minute, hour, day of month, month, day of week), or 6 with seconds first; this one has {0}"
    )]
    FieldCount(usize),
    /// An unknown `@word`.
    #[error("`{0}` is not one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually")]
    Shorthand(String),
    /// A field that does not parse.
    #[error("{field}: `{text}` {problem}")]
    Field {
        /// The field.
        field: Field,
        /// The offending part of it.
        text: String,
        /// What is wrong with that.
        problem: FieldProblem,
    },
    /// Each field is fine, but the day never comes.
    #[error("day of month `{day}` never comes in month `{month}`, so the job would never run")]
    Impossible {
        /// The day-of-month field.
        day: String,
        /// The month field.
        month: String,
    },
    /// The calendar library refused what our own checks let pass.
    #[error("the schedule is not understood: {0}")]
    Refused(String),
}

impl ScheduleError {
    pub(super) fn at(problem: Problem, column: usize, len: usize) -> Self {
        Self { problem, column: Some(column), len }
    }

    pub(super) fn whole(problem: Problem, text: &str) -> Self {
        Self { problem, column: None, len: text.chars().count() }
    }
}

impl Fault for ScheduleError {
    fn hint(&self) -> Option<String> {
        Some(match &self.problem {
            Problem::Empty | Problem::FieldCount(_) | Problem::Shorthand(_) | Problem::Refused(_) => {
                "for example `0 2 * * *` (every day at 02:00), `*/15 * * * *` (every quarter of an hour) or `@daily`"
                    .to_owned()
            }
            Problem::Field { field, problem, text } => return problem.hint(*field, text),
            Problem::Impossible { .. } => "for the last day of each month, whatever its number, write `L`".to_owned(),
        })
    }
}
