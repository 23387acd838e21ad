//! A message in the words that people read: what the forms and the templates are made of.

mod incident;
mod title;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::super::{Message, MessageKind, Section};
use crate::state::Status;
pub use incident::Incident;
use title::title;

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
    /// `2026-11-20 02:00 UTC`, in the zone of `[alerts]`
    pub time: String,
    /// What it is about.
    pub incidents: Vec<Incident>,
    /// Paragraphs.
    pub text: Vec<String>,
    /// A digest's sections.
    pub sections: Vec<Section>,
}

impl View {
    /// Of a presentable message.
    pub fn of(message: &Message) -> Self {
        let zone = message.timezone.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
        let incident = |incident| Incident::of(incident, message.at, &zone);
        let incidents: Vec<Incident> = message.incidents.iter().map(incident).collect();
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
            time: time(message.at, &zone),
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

/// `CRITICAL`, `WARNING`, `UNKNOWN`, `OK`
fn label(status: Status) -> &'static str {
    match status {
        Status::Critical => "CRITICAL",
        Status::Warning => "WARNING",
        Status::Unknown => "UNKNOWN",
        Status::Ok | Status::NotApplicable => "OK",
    }
}

fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
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
