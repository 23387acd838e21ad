//! The ways of telling people, one file each.

mod command;
mod discord;
mod email;
mod file;
mod http;
mod ntfy;
mod pagerduty;
mod presented;
mod program;
mod slack;
mod teams;
mod telegram;
#[cfg(test)]
mod tests;
mod view;
mod webhook;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use http::Http;
use presented::Presented;
pub use view::View;

use jiff::Timestamp;

use super::{Channel, IncidentView, Message, MessageKind, Row, Section};
use crate::config::{Channel as Settings, ChannelKind, ChannelName, Config};
use crate::state::{CheckKey, Status};

/// The configured channels. Nothing is connected to before the first message; a channel that cannot work (no program,
/// no secret) says so when it is asked to send.
pub fn channels(config: &Config) -> BTreeMap<ChannelName, Arc<dyn Channel>> {
    open(&config.channels)
}

/// The same, of the channels alone.
pub fn open(settings: &BTreeMap<ChannelName, Settings>) -> BTreeMap<ChannelName, Arc<dyn Channel>> {
    let http = Http::default();
    let client = |settings: &Settings| match &settings.ca_file {
        Some(path) => Http::trusting(Some(path.clone())),
        None => http.clone(),
    };
    settings.iter().map(|(name, settings)| (name.clone(), one(name, settings, client(settings)))).collect()
}

/// Tries the operator's templates on a message: what a mistake in them would have kept from people when it mattered.
pub fn rehearse(config: &Config) -> Vec<(ChannelName, String)> {
    let message = sample();
    let mut found = Vec::new();
    for (name, settings) in &config.channels {
        let wrong = match &settings.kind {
            ChannelKind::Email(email) => email::Templates::new(email.templates.clone()).rehearse(&View::of(&message)),
            ChannelKind::Webhook(webhook) => {
                let tried = webhook::body(webhook.body.as_deref(), &message);
                tried.err().map(|error| error.to_string()).into_iter().collect()
            }
            _ => Vec::new(),
        };
        found.extend(wrong.into_iter().map(|wrong| (name.clone(), wrong)));
    }
    found
}

/// A message in which nothing is missing, with all that may need escaping.
fn sample() -> Message {
    let text = "a \"quoted\" <text> & \\";
    let at = Timestamp::UNIX_EPOCH;
    let incident = IncidentView {
        id: "0".to_owned(),
        key: CheckKey { source: "health".to_owned(), subject: "app".to_owned(), name: "replication".to_owned() },
        status: Status::Critical,
        worst: Status::Critical,
        opened_at: at,
        closed_at: None,
        acknowledged_by: None,
        summary: text.to_owned(),
        value: Some(text.to_owned()),
        worst_value: Some(text.to_owned()),
        threshold: Some(text.to_owned()),
        advice: Some(text.to_owned()),
        evidence: vec![text.to_owned()],
    };
    Message {
        id: "0".to_owned(),
        kind: MessageKind::Opened,
        severity: Status::Critical,
        at,
        host: "localhost".to_owned(),
        environment: "production".to_owned(),
        timezone: None,
        incidents: vec![incident],
        text: vec![text.to_owned()],
        sections: vec![Section {
            title: text.to_owned(),
            rows: vec![Row { name: text.to_owned(), status: Status::Warning, facts: vec![text.to_owned()] }],
        }],
    }
}

fn one(name: &ChannelName, settings: &Settings, http: Http) -> Arc<dyn Channel> {
    let recipient = name.to_string();
    let timeout = settings.timeout;
    let told = |channel: Box<dyn Channel>| Presented::new(channel, timeout);
    let channel = match settings.kind.clone() {
        ChannelKind::Email(email) => told(Box::new(email::Email::new(*email, name.as_str()))),
        ChannelKind::Webhook(webhook) => told(Box::new(webhook::Webhook { recipient, http, settings: webhook })),
        ChannelKind::Slack(url) => told(Box::new(slack::Slack { recipient, http, url })),
        ChannelKind::Discord(url) => told(Box::new(discord::Discord { recipient, http, url })),
        ChannelKind::Teams(url) => told(Box::new(teams::Teams { recipient, http, url })),
        ChannelKind::Ntfy(ntfy) => told(Box::new(ntfy::Ntfy { recipient, http, settings: ntfy })),
        ChannelKind::Telegram(chat) => told(Box::new(telegram::Telegram { recipient, http, settings: chat })),
        ChannelKind::Pagerduty(service) => told(Box::new(pagerduty::Pagerduty { recipient, http, settings: service })),
        ChannelKind::Command(argv) => told(Box::new(command::Command { recipient, argv })),
        ChannelKind::File(file) => told(Box::new(file::File { recipient, settings: file })),
    };
    Arc::new(channel)
}
