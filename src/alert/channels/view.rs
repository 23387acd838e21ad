//! A message in the words that people read: what the forms and the templates are made of.

use jiff::Timestamp;
use serde::Serialize;

use super::super::{IncidentView, Message, MessageKind, Section};
use crate::state::Status;
use crate::units;

/// A message as templates see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// The notification's id: the same on every attempt.
    pub id: String,
    /// `opened`, `changed`, `reminder`, `escalation`, `acknowledged`, `flapping`, `recovered`, `digest`, `test`
    pub kind: MessageKind,
    /// `critical`, `warning`, `unknown`, `ok`: `ok` when it is over.
    pub status: Status,
    /// The same in capitals: `CRITICAL`, `RECOVERED`, `DIGEST`, `TEST`.
    pub label: &'static str,
    /// One line that says it all: `[CRITICAL] app replication: 5 min behind`
    pub title: String,
    /// The machine that tells.
    pub host: String,
    /// `production`, `staging`, `development`
    pub environment: String,
    /// RFC 3339, UTC.
    pub at: String,
    /// `2026-11-20 02:00 UTC`
    pub time: String,
    /// What it is about.
    pub incidents: Vec<Incident>,
    /// Paragraphs.
    pub text: Vec<String>,
    /// A digest's sections.
    pub sections: Vec<Section>,
}

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

impl View {
    /// Of a presentable message.
    pub fn of(message: &Message) -> Self {
        let incidents: Vec<Incident> =
            message.incidents.iter().map(|incident| Incident::of(incident, message.at)).collect();
        let status = match message.kind {
            MessageKind::Recovered => Status::Ok,
            _ => message.severity,
        };
        let label = match message.kind {
            MessageKind::Recovered => "RECOVERED",
            MessageKind::Acknowledged => "ACKNOWLEDGED",
            MessageKind::Digest => "DIGEST",
            MessageKind::Test => "TEST",
            _ => label(status),
        };
        Self {
            id: message.id.clone(),
            kind: message.kind,
            status,
            label,
            title: title(message, label, &incidents),
            host: message.host.clone(),
            environment: message.environment.clone(),
            at: message.at.to_string(),
            time: time(message.at),
            incidents,
            text: message.text.clone(),
            sections: message.sections.clone(),
        }
    }

    /// The message as lines of plain text, the title not among them.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.blocks().into_iter().flatten().collect();
        lines.push(self.foot());
        lines
    }

    /// Where and when.
    pub fn foot(&self) -> String {
        format!("Caretaker on {} ({}), {}", self.host, self.environment, self.time)
    }

    /// The message in pieces, each as lines of plain text; neither title nor foot are among them.
    pub fn blocks(&self) -> Vec<Vec<String>> {
        let paragraphs = self.text.iter().filter(|text| !text.trim().is_empty()).map(|text| vec![text.clone()]);
        if self.kind == MessageKind::Digest {
            let incidents: Vec<String> = self.incidents.iter().map(Incident::in_short).collect();
            let incidents = (!incidents.is_empty()).then_some(incidents);
            return paragraphs.chain(incidents).chain(self.sections.iter().map(lines_of)).collect();
        }
        let incident = |incident: &Incident| {
            let heading = (self.incidents.len() > 1).then(|| format!("{}: {}", incident.label, incident.title));
            heading.into_iter().chain(incident.lines()).collect()
        };
        self.incidents.iter().map(incident).chain(paragraphs).collect()
    }
}

fn lines_of(section: &Section) -> Vec<String> {
    let mut lines = vec![section.title.clone()];
    lines.extend(section.rows.iter().map(|row| format!("{}: {}", row.name, row.facts.join("; "))));
    lines
}

impl Incident {
    fn of(incident: &IncidentView, now: Timestamp) -> Self {
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
            worst_value: incident.worst_value.clone(),
            threshold: incident.threshold.clone(),
            since: time(incident.opened_at),
            lasted: units::seconds(until.duration_since(incident.opened_at).as_secs_f64()),
            is_over: incident.closed_at.is_some(),
            acknowledged_by: incident.acknowledged_by.clone(),
            advice: incident.advice.clone(),
            evidence: incident.evidence.clone(),
        }
    }

    /// The incident on one line.
    fn in_short(&self) -> String {
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

fn title(message: &Message, label: &str, incidents: &[Incident]) -> String {
    let place = match message.environment.as_str() {
        "production" | "" => String::new(),
        other => format!(" ({other})"),
    };
    let what = match (incidents, message.kind) {
        (told, MessageKind::Digest) => match told.iter().filter(|incident| !incident.is_over).count() {
            0 => format!("{}: nothing is wrong", message.host),
            1 => format!("{}: 1 incident is open", message.host),
            open => format!("{}: {open} incidents are open", message.host),
        },
        (_, MessageKind::Test) => format!("Test message from {}", message.host),
        ([], _) => message.text.first().map_or_else(|| message.host.clone(), |text| first_line(text)),
        ([one], MessageKind::Recovered) => format!("{}: over after {}", one.title, one.lasted),
        ([one], MessageKind::Reminder) => format!("{}: still, for {}: {}", one.title, one.lasted, one.summary),
        ([one], MessageKind::Escalation) => format!("{}: nobody has acknowledged: {}", one.title, one.summary),
        ([one], MessageKind::Acknowledged) => match &one.acknowledged_by {
            Some(by) => format!("{}: {by} is on it", one.title),
            None => format!("{}: somebody is on it", one.title),
        },
        ([one], MessageKind::Flapping) => format!("{}: flapping: {}", one.title, one.summary),
        ([one], _) => format!("{}: {}", one.title, one.summary),
        (several, kind) => {
            let titles: Vec<&str> = several.iter().take(3).map(|incident| incident.title.as_str()).collect();
            let more = if several.len() > 3 { ", …" } else { "" };
            let what = match kind {
                MessageKind::Recovered => "are over",
                MessageKind::Acknowledged => "are being looked at",
                _ => "problems",
            };
            format!("{} {what}: {}{more}", several.len(), titles.join(", "))
        }
    };
    shortened(&format!("[{label}]{place} {what}"), 200)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// `CRITICAL`, `WARNING`, `UNKNOWN`, `OK`
fn label(status: Status) -> &'static str {
    match status {
        Status::Critical => "CRITICAL",
        Status::Warning => "WARNING",
        Status::Unknown => "UNKNOWN",
        Status::Ok | Status::NotApplicable => "OK",
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// At most so many UTF-16 code units, which is how services count characters; what is cut off is marked.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let mut length = 0;
    let mut cut = None;
    for (at, c) in text.char_indices() {
        if length + c.len_utf16() >= most && cut.is_none() {
            cut = Some(at);
        }
        length += c.len_utf16();
    }
    match cut {
        Some(cut) if length > most => format!("{}…", &text[..cut]),
        _ => text.to_owned(),
    }
}

/// As many lines as fit into so many characters, line breaks included; what is cut off is marked.
pub(super) fn fitted(lines: &[String], most: usize) -> String {
    shortened(&lines.join("\n"), most)
}
