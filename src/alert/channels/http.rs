//! One client for all channels that speak HTTP, and how its answers are judged.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;

use super::super::{Receipt, SendError};
use super::presented::line;
use super::view::shortened;
use crate::config::SecretSource;
use crate::fault::{Fault, chain};

/// How long a connection may take to come about, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Backstop; each channel has its own deadline.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Nobody is waited for longer than this at their word.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// As much of an answer is read as helps to understand a refusal.
const ANSWER_BYTES: usize = 4096;

/// The client. Clones share its connections.
#[derive(Clone, Default)]
pub struct Http {
    client: Arc<OnceCell<Client>>,
    ca_file: Option<PathBuf>,
}

/// An answer that was read.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Http {
    /// A client that trusts the authority in a file, else the system's. They are loaded when it is first used.
    pub fn trusting(ca_file: Option<PathBuf>) -> Self {
        Self { ca_file, ..Self::default() }
    }

    /// The client itself.
    pub(super) async fn client(&self) -> Result<&Client, SendError> {
        let make = || async {
            // Redirects are not followed: the address is a secret that the operator has given to one host.
            let mut builder = Client::builder();
            if let Some(path) = &self.ca_file {
                // It may be being replaced: a message is worth another attempt.
                let wrong = |error: String| SendError::Temporary {
                    message: format!("cannot use the authority {}: {error}", path.display()),
                    retry_after: None,
                };
                let pem = tokio::fs::read(path).await.map_err(|error| wrong(error.to_string()))?;
                let authorities = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(chain(&error)))?;
                builder = builder.tls_certs_only(authorities);
            }
            builder
                .user_agent(concat!("caretaker/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(REQUEST_TIMEOUT)
                .pool_idle_timeout(Duration::from_secs(60))
                .build()
                .map_err(|error| {
                    permanent(format!("cannot set up HTTP: {}", chain(&error)), Some("install ca-certificates"))
                })
        };
        self.client.get_or_try_init(make).await
    }

    /// Posts a JSON document to a secret address and judges the answer by its status.
    pub(super) async fn post(&self, url: &SecretSource, body: &serde_json::Value) -> Result<Receipt, SendError> {
        let url = address(url).await?;
        let request = self.client().await?.post(url.clone()).json_body(body.to_string());
        judge(fetch(request, &[url.as_str(), url.path()]).await?)
    }

    /// Asks for a secret address, with something behind its path.
    pub(in super::super) async fn ping(&self, url: &SecretSource, suffix: &str) -> Result<Receipt, SendError> {
        let mut url = address(url).await?;
        let path = format!("{}{suffix}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        judge(fetch(self.client().await?.get(url.clone()), &[url.as_str(), url.path()]).await?)
    }
}

impl Http {
    /// Whether a service can be reached: its name, the connection, TLS. It is asked for nothing but the head of its front
    /// page, and whatever it answers will do: no message is sent, and nothing of the secret part of the address.
    pub(super) async fn probe(&self, url: &Url) -> Result<Receipt, SendError> {
        let origin = url.origin().ascii_serialization();
        let response = self.client().await?.head(&origin).send().await.map_err(trouble)?;
        let tls = if url.scheme() == "https" { "over TLS" } else { "without TLS" };
        let at = response.remote_addr().map_or_else(String::new, |at| format!(" at {at}"));
        Ok(Receipt(format!("{} answers{at}, {tls}", url.host_str().unwrap_or_default())))
    }

    /// The same of a secret address.
    pub(super) async fn probe_secret(&self, url: &SecretSource) -> Result<Receipt, SendError> {
        self.probe(&address(url).await?).await
    }
}

/// Adds a JSON body.
pub(super) trait JsonBody {
    fn json_body(self, body: String) -> Self;
}

impl JsonBody for RequestBuilder {
    fn json_body(self, body: String) -> Self {
        self.header(reqwest::header::CONTENT_TYPE, "application/json").body(body)
    }
}

/// Sends a request. What comes back holds none of the secrets.
pub(super) async fn fetch(request: RequestBuilder, secrets: &[&str]) -> Result<Answer, SendError> {
    let response = request.send().await.map_err(trouble)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = read(response).await;
    for secret in secrets.iter().filter(|secret| secret.len() > 1) {
        body = body.replace(secret, "[redacted]");
    }
    Ok(Answer { status, headers, body })
}

/// The beginning of the body; what cannot be read of it is not missed.
async fn read(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= ANSWER_BYTES {
            bytes.truncate(ANSWER_BYTES);
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The receipt, or whether another attempt may help.
pub(super) fn judge(answer: Answer) -> Result<Receipt, SendError> {
    let Answer { status, headers, body } = answer;
    let said = format!("HTTP {status}");
    if status.is_success() {
        return Ok(Receipt(said));
    }
    let excerpt = shortened(&line(&body), 200);
    let message = if excerpt.is_empty() { said } else { format!("{said}: {excerpt}") };
    let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|value| pause(value, Timestamp::now()));
    // RFC 9110: these say "later"; 425 is RFC 8470, 429 RFC 6585.
    if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
        return Err(SendError::Temporary { message, retry_after });
    }
    let hint = match status.as_u16() {
        300..=399 => "redirects are not followed; put the address it leads to into the file",
        401 | 403 => "the address, the key or the token is no longer valid",
        404 | 410 => "the address no longer exists",
        _ => "the receiver does not take this message",
    };
    Err(permanent(message, Some(hint)))
}

/// `Retry-After`: seconds, or a date.
pub(super) fn pause(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let pause = match value.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds.max(0.0)).ok()?,
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
            Duration::try_from(date.duration_since(now)).unwrap_or_default()
        }
    };
    Some(pause.min(LONGEST_RETRY_AFTER))
}

/// Why a request did not get its answer. The address is left out: it is a secret.
fn trouble(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    if error.is_builder() {
        return permanent(format!("the request cannot be made: {}", chain(&error)), None);
    }
    let message = if error.is_timeout() { "no answer in time".to_owned() } else { chain(&error) };
    SendError::Temporary { message, retry_after: None }
}

/// Reads a secret away from the runtime's threads.
pub(super) async fn secret(source: &SecretSource) -> Result<SecretString, SendError> {
    let source = source.clone();
    match tokio::task::spawn_blocking(move || source.read()).await {
        Ok(Ok(secret)) => Ok(secret),
        // A secret that is being replaced may be missing for a moment, and a message is worth another attempt.
        Ok(Err(error)) => {
            let hint = error.hint().map_or_else(String::new, |hint| format!(" ({hint})"));
            Err(SendError::Temporary { message: format!("{}{hint}", chain(&error)), retry_after: None })
        }
        Err(error) => Err(SendError::Temporary { message: error.to_string(), retry_after: None }),
    }
}

/// Reads a secret address.
pub(super) async fn address(source: &SecretSource) -> Result<Url, SendError> {
    let text = secret(source).await?;
    let url = Url::parse(text.expose_secret().trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| {
        permanent("the file does not hold the address of a web service".to_owned(), Some("write `https://…` into it"))
    })
}

/// The address of a service that stands in the configuration.
pub(super) fn service(server: &str) -> Result<Url, SendError> {
    Url::parse(server).map_err(|error| permanent(format!("`server`: {error}"), None))
}

pub(super) fn permanent(message: String, hint: Option<&str>) -> SendError {
    SendError::Permanent { message, hint: hint.map(str::to_owned) }
}
