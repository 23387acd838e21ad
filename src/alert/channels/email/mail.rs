//! A message as a mail: headers that clients thread by, plain text and HTML.

use std::time::SystemTime;

use lettre::address::Envelope;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, MultiPartKind, SinglePart};
use sha2::{Digest, Sha256};

use super::super::super::{Message, MessageKind, SendError};
use super::super::http::permanent;
use super::super::view::View;
use super::Templates;
use crate::state::Status;

/// A mail, ready to be sent.
pub struct Mail {
    /// Who it is from and to.
    pub envelope: Envelope,
    /// RFC 5322, lines ending in CR LF.
    pub bytes: Vec<u8>,
}

impl Mail {
    /// Composes a presentable message. The same message for the same recipient is the same mail: a server that gets it
    /// twice, or a client, can tell.
    pub fn new(
        message: &Message,
        from: &str,
        to: &str,
        channel: &str,
        templates: &Templates,
    ) -> Result<Self, SendError> {
        let view = View::of(message);
        let parts =
            templates.render(&view).map_err(|error| permanent(format!("the mail's template: {error:#}"), None))?;
        let mailbox = |address: &str| {
            let wrong = |error| permanent(format!("`{}` is no mail address: {error}", address.escape_debug()), None);
            address.parse::<Mailbox>().map_err(wrong)
        };
        let (from, to) = (mailbox(from)?, mailbox(to)?);
        let domain = domain(&message.host);
        let mut builder = lettre::Message::builder()
            .from(from)
            .to(to.clone())
            .subject(parts.subject)
            .date(SystemTime::from(message.at))
            .message_id(Some(message_id(&message.id, to.email.as_ref(), &domain)))
            // RFC 3834: no answering machine answers.
            .header(Text::<AutoSubmitted>::new("auto-generated"))
            .header(Text::<Suppress>::new("All"))
            // RFC 2919: what people filter by.
            .header(Text::<ListId>::new(&format!("Caretaker <{}.caretaker.{domain}>", word(channel))))
            .header(Text::<Severity>::new(view.label))
            .header(Text::<Host>::new(&domain));
        let threads: Vec<String> =
            message.incidents.iter().map(|incident| format!("<incident.{}@{domain}>", word(&incident.id))).collect();
        if let Some(first) = threads.first() {
            // Nobody has ever seen a mail of this id. Clients put all that refer to it into one conversation.
            builder = builder.in_reply_to(first.clone()).references(threads.join(" "));
        }
        if view.status == Status::Critical
            && !matches!(message.kind, MessageKind::Digest | MessageKind::Test | MessageKind::Acknowledged)
        {
            builder = builder.header(Text::<Importance>::new("high")).header(Text::<Priority>::new("1"));
        }
        let boundary = hex::encode(&Sha256::digest(format!("boundary {}", message.id))[..16]);
        let body = MultiPart::builder()
            .kind(MultiPartKind::Alternative)
            .boundary(boundary)
            .singlepart(SinglePart::plain(parts.text))
            .singlepart(SinglePart::html(parts.html));
        let mail = builder.multipart(body).map_err(|error| permanent(format!("the mail: {error}"), None))?;
        Ok(Self { envelope: mail.envelope().clone(), bytes: mail.formatted() })
    }
}

/// Made of the notification, the recipient and the machine, so that every attempt has the same.
fn message_id(id: &str, recipient: &str, domain: &str) -> String {
    let recipient = hex::encode(&Sha256::digest(recipient.as_bytes())[..6]);
    format!("<{}.{recipient}@{domain}>", word(id))
}

/// A machine's name as the right side of an id.
fn domain(host: &str) -> String {
    let name: String = host.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let name = name.split('.').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
    if name.is_empty() { "localhost".to_owned() } else { name.to_ascii_lowercase() }
}

/// The left side of an id.
fn word(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

/// A header of plain text.
#[derive(Clone)]
struct Text<N>(String, std::marker::PhantomData<N>);

impl<N> Text<N> {
    fn new(text: &str) -> Self {
        Self(text.to_owned(), std::marker::PhantomData)
    }
}

trait Name: Clone {
    const NAME: &'static str;
}

impl<N: Name> Header for Text<N> {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str(N::NAME)
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self::new(text))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

macro_rules! header {
    ($($type:ident = $name:literal),* $(,)?) => {
        $(
            #[derive(Clone)]
            struct $type;
            impl Name for $type {
                const NAME: &'static str = $name;
            }
        )*
    };
}

header!(
    AutoSubmitted = "Auto-Submitted",
    Suppress = "X-Auto-Response-Suppress",
    ListId = "List-Id",
    Severity = "X-Caretaker-Severity",
    Host = "X-Caretaker-Host",
    Importance = "Importance",
    Priority = "X-Priority",
);
