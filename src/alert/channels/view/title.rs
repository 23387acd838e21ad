//! One line that says it all.

use super::super::super::{Message, MessageKind};
use super::{Incident, shortened};

/// `[CRITICAL] app replication: 5 min behind`
pub(super) fn title(message: &Message, label: &str, incidents: &[Incident]) -> String {
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
