//! `kind = "telegram"`: a bot that writes into a chat, <https://core.telegram.org/bots/api#sendmessage>.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Url;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::super::{Channel, Message, Receipt, SendError};
use super::http::{Http, JsonBody, fetch, judge, permanent, secret, service};
use super::view::{View, fitted};
use crate::config::Telegram as Settings;

/// Characters of a message.
const TEXT: usize = 4096;

pub(super) struct Telegram {
    pub recipient: String,
    pub http: Http,
    pub settings: Settings,
}

#[async_trait]
impl Channel for Telegram {
    fn recipients(&self) -> Vec<String> {
        vec![self.recipient.clone()]
    }

    async fn probe(&self) -> Result<Receipt, SendError> {
        secret(&self.settings.token).await?;
        self.http.probe(&service(&self.settings.server)?).await
    }

    async fn send(&self, message: &Message, _recipient: &str) -> Result<Receipt, SendError> {
        let token = secret(&self.settings.token).await?;
        let token = token.expose_secret().trim();
        let url = format!("{}/bot{token}/sendMessage", self.settings.server);
        let url = Url::parse(&url).map_err(|_| permanent("the file does not hold a bot's token".to_owned(), None))?;
        let body = form(&View::of(message), &self.settings.chat_id);
        let request = self.http.client().await?.post(url).json_body(body.to_string());
        let answer = fetch(request, &[token]).await?;
        // It says in the body how long to wait.
        let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let wait = said["parameters"]["retry_after"].as_u64().map(Duration::from_secs);
        judge(answer).map_err(|error| match error {
            SendError::Temporary { message, retry_after } => {
                SendError::Temporary { message, retry_after: retry_after.or(wait) }
            }
            permanent => permanent,
        })
    }
}

pub(super) fn form(view: &View, chat_id: &str) -> Value {
    let mut lines = vec![view.title.clone(), String::new()];
    lines.extend(view.lines());
    // Without a `parse_mode` the text is taken as it stands: there is nothing to escape, and nothing to break.
    json!({
        "chat_id": chat_id,
        "text": fitted(&lines, TEXT),
        "link_preview_options": {"is_disabled": true},
    })
}
