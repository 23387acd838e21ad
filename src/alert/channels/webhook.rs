//! `kind = "webhook"`: JSON to an address, signed as <https://www.standardwebhooks.com> describes.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use minijinja::Environment;
use minijinja::value::Serde;
use secrecy::ExposeSecret;
use sha2::Sha256;

use super::super::{Channel, Message, Receipt, SendError};
use super::http::{Http, JsonBody, address, fetch, judge, permanent, secret};
use super::view::View;
use crate::config::Webhook as Settings;

/// The name by which minijinja knows that values are to be written as JSON.
const TEMPLATE: &str = "body.json";

pub(super) struct Webhook {
    pub recipient: String,
    pub http: Http,
    pub settings: Settings,
}

#[async_trait]
impl Channel for Webhook {
    fn recipients(&self) -> Vec<String> {
        vec![self.recipient.clone()]
    }

    async fn probe(&self) -> Result<Receipt, SendError> {
        if let Some(source) = &self.settings.secret {
            key(secret(source).await?.expose_secret())?;
        }
        if let Some(source) = &self.settings.authorization {
            secret(source).await?;
        }
        self.http.probe_secret(&self.settings.url).await
    }

    async fn send(&self, message: &Message, _recipient: &str) -> Result<Receipt, SendError> {
        let url = address(&self.settings.url).await?;
        let body = body(self.settings.body.as_deref(), message)?;
        let timestamp = Timestamp::now().as_second();
        let mut request = self.http.client().await?.post(url.clone());
        request = request.header("webhook-id", &message.id).header("webhook-timestamp", timestamp);
        if let Some(source) = &self.settings.secret {
            let key = key(secret(source).await?.expose_secret())?;
            request = request.header("webhook-signature", sign(&key, &message.id, timestamp, &body));
        }
        let mut authorization = None;
        if let Some(source) = &self.settings.authorization {
            let value = secret(source).await?;
            let mut header = reqwest::header::HeaderValue::from_str(value.expose_secret()).map_err(|_| {
                permanent("the file for `Authorization` does not hold the value of a header".to_owned(), None)
            })?;
            header.set_sensitive(true);
            request = request.header(reqwest::header::AUTHORIZATION, header);
            authorization = Some(value);
        }
        let authorization = authorization.as_ref().map_or("", |value| value.expose_secret());
        judge(fetch(request.json_body(body), &[url.as_str(), url.path(), authorization]).await?)
    }
}

/// The body: the template's, or the documented one.
///
/// # Errors
///
/// A template that fails, or does not give JSON. It will not do better next time.
pub(super) fn body(template: Option<&str>, message: &Message) -> Result<String, SendError> {
    let view = View::of(message);
    let Some(template) = template else {
        let document = serde_json::json!({
            "version": 1,
            "title": view.title,
            "label": view.label,
            "message": message,
        });
        return Ok(document.to_string());
    };
    let wrong = |error: &dyn std::fmt::Display| {
        permanent(
            format!("the template of the body fails: {error}"),
            Some("`caretaker alert test` shows what it gives"),
        )
    };
    let rendered =
        Environment::new().render_named_str(TEMPLATE, template, Serde(&view)).map_err(|error| wrong(&error))?;
    serde_json::from_str::<serde_json::Value>(&rendered)
        .map_err(|error| wrong(&format!("it gives no JSON: {error}")))?;
    Ok(rendered)
}

/// The bytes of a key: base64 after `whsec_`, otherwise as they stand there.
fn key(secret: &str) -> Result<Vec<u8>, SendError> {
    match secret.trim().strip_prefix("whsec_") {
        Some(encoded) => STANDARD
            .decode(encoded)
            .map_err(|_| permanent("the secret begins with `whsec_`, but is not base64 after that".to_owned(), None)),
        None => Ok(secret.trim().as_bytes().to_vec()),
    }
}

/// `v1,` and the base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`.
pub(super) fn sign(key: &[u8], id: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}
