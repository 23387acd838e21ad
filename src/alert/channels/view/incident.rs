//! An incident in the words that people read.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::super::super::IncidentView;
use super::{label, time};
use crate::state::Status;
use crate::units;

/// An incident as templates see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incident {
    /// Its id.
    pub id: String,
    /// `health`, `job`, `delivery`
    pub source: String,
    /// A database, a job, a channel.
    pub subject: String,
    /// The check.
    pub check: String,
    /// `app replication`
    pub title: String,
    /// What it is now.
    pub status: Status,
    /// The same in capitals.
    pub label: &'static str,
    /// The worst it has been.
    pub worst: Status,
    /// The check's last words.
    pub summary: String,
    /// The figure, the worst figure, and what it is compared with.
    pub value: Option<String>,
    /// See `value`.
    pub worst_value: Option<String>,
    /// See `value`.
    pub threshold: Option<String>,
    /// `2026-11-20 02:00 UTC`
    pub since: String,
    /// How long it has gone on, or went on: `12m 5s`
    pub lasted: String,
    /// Whether it is over.
    pub is_over: bool,
    /// Who is on it.
    pub acknowledged_by: Option<String>,
    /// What to do.
    pub advice: Option<String>,
    /// What was seen.
    pub evidence: Vec<String>,
}

impl Incident {
    pub(super) fn of(incident: &IncidentView, now: Timestamp, zone: &TimeZone) -> Self {
        let until = incident.closed_at.unwrap_or(now);
        Self {
            id: incident.id.clone(),
            source: incident.key.source.clone(),
            subject: incident.key.subject.clone(),
            check: incident.key.name.clone(),
            title: incident.key.to_string(),
            status: incident.status,
            label: if incident.closed_at.is_some() { "RECOVERED" } else { label(incident.status) },
            worst: incident.worst,
            summary: incident.summary.clone(),
            value: incident.value.clone(),
            // While it is at its worst, that is said once.
            worst_value: incident
                .worst_value
                .clone()
                .filter(|worst| incident.closed_at.is_some() || Some(worst) != incident.value.as_ref()),
            threshold: incident.threshold.clone(),
            since: time(incident.opened_at, zone),
            lasted: units::seconds(until.duration_since(incident.opened_at).as_secs_f64()),
            is_over: incident.closed_at.is_some(),
            acknowledged_by: incident.acknowledged_by.clone(),
            advice: incident.advice.clone(),
            evidence: incident.evidence.clone(),
        }
    }

    /// The incident on one line.
    pub(super) fn in_short(&self) -> String {
        let span = if self.is_over { format!("lasted {}", self.lasted) } else { format!("for {}", self.lasted) };
        format!("{}: {}: {} ({span})", self.label, self.title, self.summary)
    }

    /// The incident as lines of plain text, its title not among them.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.summary.clone()];
        lines.retain(|line| !line.is_empty());
        let figure = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("{name}: {value}"));
        lines.extend(figure("Value", &self.value));
        lines.extend(figure("Threshold", &self.threshold));
        if self.is_over {
            lines.extend(figure("Worst", &self.worst_value));
            lines.push(format!("Lasted: {}, since {}", self.lasted, self.since));
        } else {
            lines.push(format!("Since: {} ({})", self.since, self.lasted));
        }
        lines.extend(figure("Acknowledged by", &self.acknowledged_by));
        lines.extend(figure("Advice", &self.advice));
        lines.extend(self.evidence.iter().cloned());
        lines
    }
}
