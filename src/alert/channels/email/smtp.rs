//! A mail server, and connections to it that are kept for the next mail.
//!
//! lettre's own pool takes a connection back that was dropped in the middle of a mail, and its timeout covers the
//! connecting alone: after a server that hangs, the next mail would be written into the middle of the last one. So the
//! connections are kept here. Whoever sends owns one, and only a mail that was answered puts it back; a future that is
//! dropped at its deadline closes it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Noop, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::transport::smtp::response::Response;
use secrecy::{ExposeSecret, SecretString};

use super::super::super::{Receipt, SendError};
use super::super::http::{permanent, secret};
use super::super::presented::line;
use crate::config::{Smtp, SmtpTls};
use crate::fault::chain;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a kept connection may take to say that it lives.
const NOOP_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections are kept for so long; servers close them after some minutes (RFC 5321, 4.5.3.2).
const KEEP: Duration = Duration::from_secs(30);
/// So many of them.
const MOST: usize = 4;

pub(super) struct Server {
    settings: Smtp,
    idle: Mutex<Vec<Idle>>,
}

/// A connection that nobody uses, and the password that opened it.
struct Idle {
    connection: AsyncSmtpConnection,
    password: Option<SecretString>,
    since: Instant,
}

impl Server {
    pub fn new(settings: Smtp) -> Self {
        Self { settings, idle: Mutex::default() }
    }

    /// Sends one mail.
    pub async fn send(&self, envelope: &Envelope, mail: &[u8]) -> Result<Receipt, SendError> {
        // Read every time: a changed password needs no restart.
        let password = match &self.settings.login {
            Some(login) => Some(secret(&login.password).await?),
            None => None,
        };
        let mut connection = match self.kept(password.as_ref()).await {
            Some(connection) => connection,
            None => self.connect(password.as_ref()).await?,
        };
        let response = hand_over(&mut connection, envelope, mail).await.map_err(|error| self.judge(&error))?;
        self.keep(Idle { connection, password, since: Instant::now() });
        Ok(Receipt(words(&response)))
    }

    /// Connects, logs in, and sends nothing.
    pub async fn probe(&self) -> Result<Receipt, SendError> {
        let Smtp { host, port, tls, login, .. } = &self.settings;
        let password = match login {
            Some(login) => Some(secret(&login.password).await?),
            None => None,
        };
        let mut connection = self.connect(password.as_ref()).await?;
        let answer = connection.command(Noop).await.map_err(|error| self.judge(&error))?;
        // It has answered: how it takes the farewell changes nothing.
        let _ = connection.quit().await;
        let how = match tls {
            SmtpTls::Starttls => "over STARTTLS",
            SmtpTls::Implicit => "over TLS",
            SmtpTls::None => "without TLS",
        };
        let who =
            login.as_ref().map_or("nobody logged in".to_owned(), |login| format!("logged in as {}", login.username));
        Ok(Receipt(format!("{host}:{port} answers {how}, {who}: {}", words(&answer))))
    }

    /// A kept connection that still lives.
    async fn kept(&self, password: Option<&SecretString>) -> Option<AsyncSmtpConnection> {
        loop {
            let mut idle = self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop()?;
            let is_same =
                idle.password.as_ref().map(ExposeSecret::expose_secret) == password.map(ExposeSecret::expose_secret);
            if is_same
                && idle.since.elapsed() < KEEP
                && tokio::time::timeout(NOOP_TIMEOUT, idle.connection.test_connected()).await == Ok(true)
            {
                return Some(idle.connection);
            }
        }
    }

    fn keep(&self, idle: Idle) {
        let mut kept = self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.retain(|idle| idle.since.elapsed() < KEEP);
        if kept.len() < MOST {
            kept.push(idle);
        }
    }

    /// Connects and logs in. What protects the connection is required, whatever the server offers.
    async fn connect(&self, password: Option<&SecretString>) -> Result<AsyncSmtpConnection, SendError> {
        let Smtp { host, port, tls, .. } = &self.settings;
        let hello = ClientId::default();
        let parameters = match tls {
            SmtpTls::None => None,
            SmtpTls::Starttls | SmtpTls::Implicit => Some(self.tls().await?),
        };
        let first = if *tls == SmtpTls::Implicit { parameters.clone() } else { None };
        let address = (host.as_str(), *port);
        let connecting = AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT_TIMEOUT), &hello, first, None);
        let mut connection = connecting.await.map_err(|error| self.judge(&error))?;
        if let (SmtpTls::Starttls, Some(parameters)) = (tls, parameters) {
            if !connection.can_starttls() {
                return Err(temporary(format!(
                    "{host}:{port} does not offer STARTTLS, and nothing is sent without it (the server's port for mail \
                     programs, or `tls = \"implicit\"`, may be what is meant)"
                )));
            }
            connection.starttls(parameters, &hello).await.map_err(|error| self.judge(&error))?;
        }
        if let (Some(login), Some(password)) = (&self.settings.login, password) {
            let credentials = Credentials::new(login.username.clone(), password.expose_secret().to_owned());
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            connection.auth(&mechanisms, &credentials).await.map_err(|error| self.judge_login(&error))?;
        }
        Ok(connection)
    }

    /// The authorities to trust: the configured one alone, else the system's.
    async fn tls(&self) -> Result<TlsParameters, SendError> {
        let (host, ca_file) = (self.settings.host.clone(), self.settings.ca_file.clone());
        let load = move || {
            let mut builder = TlsParameters::builder(host);
            if let Some(path) = ca_file {
                let wrong = |error: String| format!("cannot use the authority {}: {error}", path.display());
                let pem = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
                let certificate = Certificate::from_pem(&pem).map_err(|error| wrong(chain(&error)))?;
                builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
            }
            builder.build().map_err(|error| chain(&error))
        };
        let loaded = tokio::task::spawn_blocking(load).await.map_err(|error| temporary(error.to_string()))?;
        loaded.map_err(temporary)
    }

    /// 5xx is the server's last word about this mail. All else may be better later: 4xx, a connection that does not
    /// come about or breaks, a certificate that has run out and is being renewed.
    fn judge(&self, error: &Error) -> SendError {
        let Smtp { host, port, .. } = &self.settings;
        let message = format!("{host}:{port}: {}", line(&told(error)));
        if error.is_permanent() { permanent(message, None) } else { temporary(message) }
    }

    fn judge_login(&self, error: &Error) -> SendError {
        match self.judge(error) {
            SendError::Permanent { message, .. } => {
                permanent(message, Some("the user or the password is wrong, or may not send"))
            }
            other => other,
        }
    }
}

/// One mail over a connection, as RFC 5321 has it. lettre would send the final dot in a packet of its own, which TCP holds
/// back until the one before it is acknowledged: 40 ms for each mail.
async fn hand_over(connection: &mut AsyncSmtpConnection, envelope: &Envelope, mail: &[u8]) -> Result<Response, Error> {
    let is_wide = envelope.from().into_iter().chain(envelope.to()).any(|address| !address.to_string().is_ascii());
    let is_wide = is_wide && connection.server_info().supports_feature(Extension::SmtpUtfEight);
    let parameters = if is_wide { vec![MailParameter::SmtpUtfEight] } else { Vec::new() };
    connection.command(Mail::new(envelope.from().cloned(), parameters)).await?;
    for recipient in envelope.to() {
        connection.command(Rcpt::new(recipient.clone(), Vec::new())).await?;
    }
    connection.command(Data).await?;
    // A line that begins with a dot gets another one; the first line is a header.
    let text = String::from_utf8_lossy(mail).replace("\r\n.", "\r\n..");
    let text = format!("{}\r\n.\r\n", text.strip_suffix("\r\n").unwrap_or(&text));
    connection.command(text).await
}

/// lettre's words, without its first ones where the cause says it all.
fn told(error: &Error) -> String {
    let text = chain(error);
    match text.split_once(": ") {
        Some(("Connection error" | "network error" | "internal client error", rest)) => rest.to_owned(),
        _ if text == "response error: incomplete response" => "the connection was cut before the answer".to_owned(),
        _ => text.replace("permanent error (", "refused (").replace("transient error (", "refused for now ("),
    }
}

/// `250 2.0.0 Ok: queued as 4F1B2`
fn words(response: &Response) -> String {
    let text: Vec<&str> = response.message().collect();
    line(&format!("{} {}", response.code(), text.join(" ")))
}

fn temporary(message: String) -> SendError {
    SendError::Temporary { message, retry_after: None }
}
