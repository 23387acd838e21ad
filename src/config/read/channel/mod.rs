//! `[channels.*]`

mod email;
mod http;

use std::path::PathBuf;

use super::super::{Channel, ChannelKind, ChannelName, FileChannel, FileFormat, Pagerduty, Telegram};
use super::secret::SecretKeys;
use super::values::{authority, choice, duration, path, text};
use super::{Problem, Section, Spot};

const KINDS: [&str; 10] =
    ["email", "webhook", "slack", "discord", "teams", "ntfy", "telegram", "pagerduty", "command", "file"];

pub(super) fn read(name: &str, section: &Section<'_>) -> Option<(ChannelName, Channel)> {
    let checked = name.parse::<ChannelName>().map_err(|error| {
        section.reader.error(&section.name_origin(), Problem::new(error.to_string()));
    });
    if !section.has("kind") {
        let needs = Problem::new(format!("[channels.{name}] needs `kind`"));
        section.error(needs.help(format!("it can be {}", KINDS.map(|kind| format!("`{kind}`")).join(", "))));
        return None;
    }
    // What else belongs there depends on the kind.
    let kind = section.optional("kind", kind)?;
    let timeout = section.or("timeout", "20s", duration);
    let speaks_http = !matches!(kind, "email" | "command" | "file");
    let ca_file = speaks_http.then(|| section.optional("ca_file", authority)).flatten();
    let kind = match kind {
        "email" => email::read(section).map(|email| ChannelKind::Email(Box::new(email))),
        "webhook" => http::webhook(section).map(ChannelKind::Webhook),
        "slack" => SecretKeys::URL.required(section).map(ChannelKind::Slack),
        "discord" => SecretKeys::URL.required(section).map(ChannelKind::Discord),
        "teams" => SecretKeys::URL.required(section).map(ChannelKind::Teams),
        "ntfy" => http::ntfy(section).map(ChannelKind::Ntfy),
        "telegram" => telegram(section).map(ChannelKind::Telegram),
        "pagerduty" => pagerduty(section).map(ChannelKind::Pagerduty),
        "command" => command(section).map(ChannelKind::Command),
        _ => file(section).map(ChannelKind::File),
    };
    section.finish();
    if section.is_faulty() {
        return None;
    }
    Some((checked.ok()?, Channel { kind: kind?, timeout: timeout?, ca_file }))
}

fn kind(spot: &Spot<'_>) -> Result<&'static str, Problem> {
    choice(&KINDS.map(|kind| (kind, kind)))(spot)
}

fn telegram(section: &Section<'_>) -> Option<Telegram> {
    let token = SecretKeys::TOKEN.required(section);
    let chat_id = section.required("chat_id", |spot| match spot.integer() {
        Ok(number) => Ok(number.to_string()),
        Err(_) => text(spot),
    });
    let server = section.or("server", "https://api.telegram.org", http::server);
    Some(Telegram { token: token?, chat_id: chat_id?, server: server? })
}

fn pagerduty(section: &Section<'_>) -> Option<Pagerduty> {
    let routing_key = SecretKeys::ROUTING_KEY.required(section);
    let server = section.or("server", "https://events.pagerduty.com", http::server);
    Some(Pagerduty { routing_key: routing_key?, server: server? })
}

fn command(section: &Section<'_>) -> Option<Vec<String>> {
    if !section.has("command") {
        section.is_missing("command");
    }
    let words = section.list("command", |spot| spot.text().map(str::to_owned))?;
    let spot = section.spot("command")?;
    let program = words.first().map(String::as_str).unwrap_or_default();
    if !program.starts_with('/') {
        let problem = Problem::new("a command begins with the absolute path of its program")
            .help("write it like `[\"/usr/local/bin/page\", \"--urgent\"]`; no shell is involved");
        return section.taken(&spot, Err(problem));
    }
    Some(words)
}

fn file(section: &Section<'_>) -> Option<FileChannel> {
    let path: Option<PathBuf> = section.required("path", path);
    let formats = [("jsonl", FileFormat::Jsonl), ("maildir", FileFormat::Maildir)];
    let format = section.or("format", "jsonl", choice(&formats));
    Some(FileChannel { path: path?, format: format? })
}

/// Whether a template can be read; its names are looked at when it is used.
fn template(name: &str, source: &str) -> Result<(), Problem> {
    let mut environment = minijinja::Environment::new();
    environment.add_template_owned(name.to_owned(), source.to_owned()).map_err(|error| {
        let at = error.line().map_or_else(String::new, |line| format!(", line {line}"));
        let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        Problem::new(format!("the template {name}{at}: {why}"))
            .help("templates are written as for Jinja: https://docs.rs/minijinja/latest/minijinja/syntax/")
    })
}
