//! Messages to send, and the channels of a sandbox to send them through.

use std::sync::Arc;

use caretaker::alert::{Channel, IncidentView, Message, MessageKind, Receipt, SendError, channels};
use caretaker::config::{LoadOptions, load};
use caretaker::state::{CheckKey, Status};
use jiff::{Timestamp, ToSpan};

use crate::support::Sandbox;

/// An incident of a database that lags behind.
pub fn incident() -> IncidentView {
    let opened_at: Timestamp = "2026-11-20T02:00:00Z".parse().unwrap();
    IncidentView {
        id: "0193f0a0-0000-7000-8000-000000000001".to_owned(),
        key: CheckKey { source: "health".to_owned(), subject: "app".to_owned(), name: "replication".to_owned() },
        status: Status::Critical,
        worst: Status::Critical,
        opened_at,
        closed_at: None,
        acknowledged_by: None,
        summary: "the standby walreceiver is 5m 12s behind".to_owned(),
        value: Some("5m 12s".to_owned()),
        worst_value: Some("6m 1s".to_owned()),
        threshold: Some("1m 0s".to_owned()),
        advice: Some("look at the standby's log; `SELECT * FROM pg_stat_replication`".to_owned()),
        evidence: vec!["sent 0/3000000".to_owned(), "replayed 0/1000000".to_owned()],
    }
}

/// The news of it.
pub fn opened() -> Message {
    Message {
        id: "0193f0a0-0000-7000-8000-0000000000aa".to_owned(),
        kind: MessageKind::Opened,
        severity: Status::Critical,
        at: "2026-11-20T02:05:00Z".parse().unwrap(),
        host: "db1.example.org".to_owned(),
        environment: "production".to_owned(),
        timezone: None,
        incidents: vec![incident()],
        text: Vec::new(),
        sections: Vec::new(),
    }
}

/// The news that somebody is on it.
pub fn acknowledged() -> Message {
    let mut message = opened();
    message.id = "0193f0a0-0000-7000-8000-0000000000cc".to_owned();
    message.kind = MessageKind::Acknowledged;
    message.incidents[0].acknowledged_by = Some("anna".to_owned());
    message
}

/// The news of its end.
pub fn recovered() -> Message {
    let mut message = opened();
    message.id = "0193f0a0-0000-7000-8000-0000000000bb".to_owned();
    message.kind = MessageKind::Recovered;
    message.severity = Status::Ok;
    let incident = &mut message.incidents[0];
    incident.status = Status::Ok;
    incident.closed_at = Some(incident.opened_at + 12.minutes());
    message
}

/// A message in which everything is longer, and wilder, than anybody would wish for.
pub fn monstrous() -> Message {
    let wild =
        |length: usize| "<!channel> @everyone [x](http://x) *a* \"b\" \\ ü🙂\r\nBcc: x@y\u{1b}[31m ".repeat(length);
    let mut one = incident();
    one.summary = wild(200);
    one.key.subject = wild(20);
    one.advice = Some(wild(100));
    one.evidence = (0..200).map(|_| wild(5)).collect();
    let incidents = (0..100).map(|n| IncidentView { id: format!("{}-{n}", one.id), ..one.clone() }).collect();
    Message { incidents, text: vec![wild(500); 20], ..opened() }
}

/// A channel of the sandbox's configuration.
#[track_caller]
pub fn channel(sandbox: &Sandbox, name: &str) -> Arc<dyn Channel> {
    let loaded = load(&LoadOptions { path: Some(sandbox.config()), ..LoadOptions::default() });
    let config = loaded.unwrap_or_else(|found| panic!("{}", found[0])).config;
    channels::channels(&config)[&name.parse().unwrap()].clone()
}

/// Sends a message to the channel's first recipient.
pub async fn send(sandbox: &Sandbox, message: &Message) -> Result<Receipt, SendError> {
    let channel = channel(sandbox, "ops");
    let recipient = channel.recipients().remove(0);
    channel.send(message, &recipient).await
}

/// What a refusal that may pass says.
#[track_caller]
pub fn temporary(sent: Result<Receipt, SendError>) -> String {
    match sent {
        Err(SendError::Temporary { message, .. }) => message,
        other => panic!("not a temporary refusal: {other:?}"),
    }
}

/// What a refusal that will not pass says, its hint after it.
#[track_caller]
pub fn permanent(sent: Result<Receipt, SendError>) -> String {
    match sent {
        Err(SendError::Permanent { message, hint }) => format!("{message} {}", hint.unwrap_or_default()),
        other => panic!("not a permanent refusal: {other:?}"),
    }
}
