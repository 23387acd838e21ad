//! `kind = "email"`

mod mail;
mod smtp;
mod templates;

use async_trait::async_trait;

pub(super) use mail::Mail;
pub(super) use templates::Templates;

use super::super::{Channel, Message, Receipt, SendError};
use super::program;
use crate::config::{Email as Settings, MailTransport};
use smtp::Server;

pub(super) struct Email {
    name: String,
    settings: Settings,
    templates: Templates,
    transport: Transport,
}

enum Transport {
    Smtp(Server),
    /// Program and arguments.
    Sendmail(Vec<String>),
}

impl Email {
    pub fn new(settings: Settings, name: &str) -> Self {
        let transport = match &settings.transport {
            MailTransport::Smtp(smtp) => Transport::Smtp(Server::new(smtp.clone())),
            MailTransport::Sendmail(program) => Transport::Sendmail(vec![program.display().to_string()]),
        };
        let templates = Templates::new(settings.templates.clone());
        Self { name: name.to_owned(), settings, templates, transport }
    }
}

#[async_trait]
impl Channel for Email {
    fn recipients(&self) -> Vec<String> {
        self.settings.to.clone()
    }

    async fn probe(&self) -> Result<Receipt, SendError> {
        match &self.transport {
            Transport::Smtp(server) => server.probe().await,
            Transport::Sendmail(program) => {
                program::executable(program.first().map(String::as_str).unwrap_or_default())
            }
        }
    }

    async fn send(&self, message: &Message, recipient: &str) -> Result<Receipt, SendError> {
        let mail = Mail::new(message, &self.settings.from, recipient, &self.name, &self.templates)?;
        match &self.transport {
            Transport::Smtp(server) => server.send(&mail.envelope, &mail.bytes).await,
            Transport::Sendmail(program) => {
                // -i: a line with a single dot does not end the mail.
                let mut argv = program.clone();
                argv.extend(["-i".to_owned(), "-f".to_owned()]);
                argv.push(mail.envelope.from().map(ToString::to_string).unwrap_or_default());
                argv.push("--".to_owned());
                argv.extend(mail.envelope.to().iter().map(ToString::to_string));
                let unix = String::from_utf8_lossy(&mail.bytes).replace("\r\n", "\n");
                program::run(&argv, unix.as_bytes(), &[]).await
            }
        }
    }
}
