//! When: cron expressions and zones to instants, and what is due. Pure: `now` is an argument.

/// A checked cron expression.
#[derive(Debug, Clone)]
pub struct Schedule;

/// Why an expression is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ScheduleError {
    /// What is wrong.
    pub message: String,
    /// Where the wrong part begins: 0-based, in characters.
    pub column: Option<usize>,
    /// How many characters it has.
    pub len: usize,
}

impl crate::fault::Fault for ScheduleError {}

impl Schedule {
    /// Reads a cron expression.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let fields = text.split_whitespace().count();
        if fields == 5 || fields == 6 || text.starts_with('@') {
            return Ok(Self);
        }
        Err(ScheduleError { message: format!("`{text}` has {fields} fields"), column: None, len: 0 })
    }
}
