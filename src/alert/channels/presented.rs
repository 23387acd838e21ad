//! What holds for every channel: a deadline of its own, and messages without secrets and control characters.
//!
//! Check results carry text from elsewhere: a server's error message, an application's name, a query. Line breaks in a
//! name would add headers to a mail, escape sequences would act on a terminal, a URL may hold a password. All of that
//! ends here, before any channel has given the message its form.

use std::time::Duration;

use async_trait::async_trait;

use super::super::{Channel, IncidentView, Message, Receipt, Row, Section, SendError};
use super::view::shortened;
use crate::config::without_secrets;

/// What is told of one incident's evidence, and of all of it: a mail of megabytes helps nobody.
const EVIDENCE: usize = 50;
const ALL_EVIDENCE: usize = 500;
/// Characters of one text, of a line and of a paragraph.
const LINE: usize = 1000;
const BLOCK: usize = 10_000;

/// A channel that only gets to see presentable messages.
pub(super) struct Presented {
    channel: Box<dyn Channel>,
    timeout: Duration,
}

impl Presented {
    pub fn new(channel: Box<dyn Channel>, timeout: Duration) -> Self {
        Self { channel, timeout }
    }

    async fn within(&self, work: impl Future<Output = Result<Receipt, SendError>>) -> Result<Receipt, SendError> {
        match tokio::time::timeout(self.timeout, work).await {
            Ok(result) => result,
            Err(_) => Err(SendError::Temporary {
                message: format!("no answer within {} s", self.timeout.as_secs_f64()),
                retry_after: None,
            }),
        }
    }
}

#[async_trait]
impl Channel for Presented {
    fn recipients(&self) -> Vec<String> {
        self.channel.recipients()
    }

    async fn probe(&self) -> Result<Receipt, SendError> {
        self.within(self.channel.probe()).await
    }

    async fn send(&self, message: &Message, recipient: &str) -> Result<Receipt, SendError> {
        let message = presentable(message);
        self.within(self.channel.send(&message, recipient)).await
    }
}

/// The message with every text cleaned.
pub(super) fn presentable(message: &Message) -> Message {
    let mut left = ALL_EVIDENCE;
    let Message { id, kind, severity, at, host, environment, timezone, incidents, text, sections } = message;
    Message {
        id: line(id),
        kind: *kind,
        severity: *severity,
        at: *at,
        host: line(host),
        environment: line(environment),
        timezone: timezone.clone(),
        incidents: incidents.iter().map(|one| incident(one, &mut left)).collect(),
        text: text.iter().map(|paragraph| block(paragraph)).collect(),
        sections: sections.iter().map(section).collect(),
    }
}

fn section(section: &Section) -> Section {
    let row = |row: &Row| Row {
        name: line(&row.name),
        status: row.status,
        facts: row.facts.iter().map(|fact| line(fact)).collect(),
    };
    Section { title: line(&section.title), rows: section.rows.iter().map(row).collect() }
}

fn incident(incident: &IncidentView, left: &mut usize) -> IncidentView {
    let mut clean = incident.clone();
    clean.id = line(&clean.id);
    for text in [&mut clean.key.source, &mut clean.key.subject, &mut clean.key.name, &mut clean.summary] {
        *text = line(text);
    }
    for text in [&mut clean.value, &mut clean.worst_value, &mut clean.threshold, &mut clean.acknowledged_by]
        .into_iter()
        .flatten()
    {
        *text = line(text);
    }
    clean.advice = clean.advice.as_deref().map(block);
    let told = clean.evidence.len().min(EVIDENCE).min(*left);
    *left -= told;
    let more = clean.evidence.len() - told;
    clean.evidence = clean.evidence.iter().take(told).map(|text| shortened(&block(text), LINE)).collect();
    if more > 0 {
        clean.evidence.push(format!("… and {more} more"));
    }
    clean
}

/// Text on one line.
pub(super) fn line(text: &str) -> String {
    let plain: String = without_secrets(text).chars().map(|c| if is_loud(c) { ' ' } else { c }).collect();
    shortened(&plain.split_whitespace().collect::<Vec<_>>().join(" "), LINE)
}

/// Text that may have several lines.
fn block(text: &str) -> String {
    let text = without_secrets(text).replace("\r\n", "\n");
    let text: String = text.chars().map(|c| if is_loud(c) && c != '\n' && c != '\t' { ' ' } else { c }).collect();
    shortened(&text, BLOCK)
}

/// Control characters, line and paragraph separators, and what turns the direction of writing.
fn is_loud(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
