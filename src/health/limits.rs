//! Thresholds: a check's defaults, and what the operator wants instead.

use crate::config::{Bad, CheckName, CheckSettings, Unit};
use crate::state::Status;
use crate::units;

/// From which figures a check is WARNING or CRITICAL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Of which check.
    pub check: CheckName,
    /// From (or below) here it is a WARNING; `None`: never.
    pub warning: Option<f64>,
    /// From (or below) here it is CRITICAL; `None`: never.
    pub critical: Option<f64>,
}

impl Limits {
    /// The defaults with the operator's settings over them.
    pub fn of(check: CheckName, warning: Option<f64>, critical: Option<f64>, settings: &CheckSettings) -> Self {
        Self { check, warning: settings.warning.or(warning), critical: settings.critical.or(critical) }
    }

    /// What a figure amounts to. Not a number: it was not seen.
    pub fn judge(&self, figure: f64) -> Status {
        let reached = |limit: Option<f64>| {
            limit.is_some_and(|limit| match self.check.bad() {
                Bad::High => figure >= limit,
                Bad::Low => figure < limit,
            })
        };
        match figure {
            _ if figure.is_nan() => Status::Unknown,
            _ if reached(self.critical) => Status::Critical,
            _ if reached(self.warning) => Status::Warning,
            _ => Status::Ok,
        }
    }

    /// For people: `warning from 80 %, critical from 95 %`.
    pub fn text(&self) -> Option<String> {
        let how = match self.check.bad() {
            Bad::High => "from",
            Bad::Low => "below",
        };
        let text = |what: &str, limit: Option<f64>| limit.map(|limit| format!("{what} {how} {}", self.figure(limit)));
        let parts: Vec<String> =
            [text("warning", self.warning), text("critical", self.critical)].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// A figure in the check's unit, for people.
    pub fn figure(&self, figure: f64) -> String {
        match self.check.unit() {
            Unit::Seconds => units::seconds(figure),
            Unit::Bytes => units::bytes(figure),
            Unit::Share => units::share(figure),
            Unit::Count => units::count(figure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_at_the_threshold_has_reached_it_and_one_that_is_none_was_not_seen() {
        let high = Limits { check: CheckName::Connections, warning: Some(0.8), critical: Some(0.95) };
        let low = Limits { check: CheckName::CacheHit, warning: Some(0.9), critical: Some(0.8) };
        for (limits, figure, expected) in [
            (high, 0.79, Status::Ok),
            (high, 0.8, Status::Warning),
            (high, 0.95, Status::Critical),
            (low, 0.9, Status::Ok),
            (low, 0.89, Status::Warning),
            (low, 0.79, Status::Critical),
            (low, f64::NAN, Status::Unknown),
            (Limits { warning: None, ..high }, 0.9, Status::Ok),
        ] {
            assert_eq!(limits.judge(figure), expected, "{limits:?} {figure}");
        }
        assert_eq!(high.text().as_deref(), Some("warning from 80 %, critical from 95 %"));
        assert_eq!(low.text().as_deref(), Some("warning below 90 %, critical below 80 %"));
    }
}
