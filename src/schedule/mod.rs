//! When: cron expressions and zones to instants, and what is due. Pure: `now` is an argument.

/// A checked cron expression.
#[derive(Debug, Clone)]
pub struct Schedule;
