//! `[channels.*]`
//!
//! They can be written down and read again ([`serde`]): what reports a daemon that cannot start may have to do with what
//! the last good configuration said. Secrets are not in them, only where they are.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SecretSource;

/// A way of telling people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// What it is and where.
    pub kind: ChannelKind,
    /// How long one delivery may take, from the connection to the answer; default 20 s.
    pub timeout: Duration,
    /// The authority whose certificates are trusted instead of the system's, where it speaks HTTP.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// The kinds of channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// `kind = "email"`
    Email(Box<Email>),
    /// `kind = "webhook"`
    Webhook(Webhook),
    /// `kind = "slack"`: the address of an incoming webhook.
    Slack(SecretSource),
    /// `kind = "discord"`: the address of a webhook.
    Discord(SecretSource),
    /// `kind = "teams"`: the address of a workflow.
    Teams(SecretSource),
    /// `kind = "ntfy"`
    Ntfy(Ntfy),
    /// `kind = "telegram"`
    Telegram(Telegram),
    /// `kind = "pagerduty"`
    Pagerduty(Pagerduty),
    /// `kind = "command"`: program and arguments; never empty. The message comes on standard input.
    Command(Vec<String>),
    /// `kind = "file"`
    File(FileChannel),
}

/// Mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// The sender: `Caretaker <caretaker@example.org>`.
    pub from: String,
    /// The recipients, each of which gets a mail of its own; never empty.
    pub to: Vec<String>,
    /// How mails leave.
    pub transport: MailTransport,
    /// Templates that take the place of the built-in ones of the same name.
    pub templates: Option<PathBuf>,
}

/// How mails leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTransport {
    /// `smtp = { … }`
    Smtp(Smtp),
    /// `sendmail = "/usr/sbin/sendmail"`: a program that takes a mail on standard input.
    Sendmail(PathBuf),
}

/// A server that takes mails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smtp {
    /// Its name, which its certificate must hold.
    pub host: String,
    /// Default: 587, 465 for implicit TLS, 25 without TLS.
    pub port: u16,
    /// How the connection is protected; default STARTTLS.
    pub tls: SmtpTls,
    /// Who logs in; `None`: nobody.
    pub login: Option<SmtpLogin>,
    /// The authority whose certificates are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// How a connection to a mail server is protected. What is asked for is required: there is no falling back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// It begins in the clear and becomes TLS before anything of ours is said.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// Not at all.
    None,
}

/// Who logs in to a mail server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmtpLogin {
    /// The user.
    pub username: String,
    /// Where the password is.
    pub password: SecretSource,
}

/// An address that takes JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Where the address is.
    pub url: SecretSource,
    /// Where the key is that signs; `None`: not signed.
    pub secret: Option<SecretSource>,
    /// Where the value of `Authorization:` is; `None`: none.
    pub authorization: Option<SecretSource>,
    /// The template of the body; `None`: the documented one.
    pub body: Option<String>,
}

/// A topic of <https://ntfy.sh>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ntfy {
    /// Where the topic's address is.
    pub url: SecretSource,
    /// Where the access token is.
    pub token: Option<SecretSource>,
}

/// A Telegram chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telegram {
    /// Where the bot's token is.
    pub token: SecretSource,
    /// The chat: a number, or `@name`.
    pub chat_id: String,
    /// The service; default `https://api.telegram.org`.
    pub server: String,
}

/// A service of PagerDuty, through its Events API v2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pagerduty {
    /// Where the integration key is.
    pub routing_key: SecretSource,
    /// The service; default `https://events.pagerduty.com`.
    pub server: String,
}

/// A file or a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChannel {
    /// Which.
    pub path: PathBuf,
    /// What it holds; default JSON lines.
    pub format: FileFormat,
}

/// What the messages look like in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// One JSON document per line.
    Jsonl,
    /// A folder of mails, as mail clients read it.
    Maildir,
}

impl ChannelKind {
    /// The kind as it stands in the configuration.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Discord(_) => "discord",
            Self::Teams(_) => "teams",
            Self::Ntfy(_) => "ntfy",
            Self::Telegram(_) => "telegram",
            Self::Pagerduty(_) => "pagerduty",
            Self::Command(_) => "command",
            Self::File(_) => "file",
        }
    }

    /// Where its secrets are.
    pub fn secrets(&self) -> Vec<&SecretSource> {
        match self {
            Self::Email(email) => match &email.transport {
                MailTransport::Smtp(Smtp { login: Some(login), .. }) => vec![&login.password],
                MailTransport::Smtp(_) | MailTransport::Sendmail(_) => Vec::new(),
            },
            Self::Webhook(Webhook { url, secret, authorization, .. }) => {
                [Some(url), secret.as_ref(), authorization.as_ref()].into_iter().flatten().collect()
            }
            Self::Slack(url) | Self::Discord(url) | Self::Teams(url) => vec![url],
            Self::Ntfy(ntfy) => [Some(&ntfy.url), ntfy.token.as_ref()].into_iter().flatten().collect(),
            Self::Telegram(telegram) => vec![&telegram.token],
            Self::Pagerduty(pagerduty) => vec![&pagerduty.routing_key],
            Self::Command(_) | Self::File(_) => Vec::new(),
        }
    }
}
