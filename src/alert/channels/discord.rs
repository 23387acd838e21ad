//! `kind = "discord"`: a webhook, <https://discord.com/developers/docs/resources/webhook#execute-webhook>.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::super::{Channel, Message, Receipt, SendError};
use super::http::Http;
use super::view::{View, fitted, shortened};
use crate::config::SecretSource;
use crate::state::Status;

/// <https://discord.com/developers/docs/resources/message#embed-object-embed-limits>: of a title, and of a description.
const TITLE: usize = 256;
const DESCRIPTION: usize = 4096;

pub(super) struct Discord {
    pub recipient: String,
    pub http: Http,
    pub url: SecretSource,
}

#[async_trait]
impl Channel for Discord {
    fn recipients(&self) -> Vec<String> {
        vec![self.recipient.clone()]
    }

    async fn probe(&self) -> Result<Receipt, SendError> {
        self.http.probe_secret(&self.url).await
    }

    async fn send(&self, message: &Message, _recipient: &str) -> Result<Receipt, SendError> {
        self.http.post(&self.url, &form(&View::of(message))).await
    }
}

pub(super) fn form(view: &View) -> Value {
    let color = match view.status {
        Status::Critical => 0xd1_24_2f,
        Status::Warning => 0xd4_a7_2c,
        Status::Unknown => 0x82_50_df,
        Status::Ok | Status::NotApplicable => 0x1a_7f_37,
    };
    json!({
        // Nothing in a message may call a whole server.
        "allowed_mentions": {"parse": []},
        "embeds": [{
            "title": escaped(&view.title, TITLE),
            "description": escaped(&fitted(&view.lines(), DESCRIPTION), DESCRIPTION),
            "color": color,
            "timestamp": view.at,
        }],
    })
}

/// Text with its Markdown made harmless, at most so long.
fn escaped(text: &str, most: usize) -> String {
    let mut escaped = String::new();
    let mut length = 0;
    for c in text.chars() {
        let special = matches!(c, '\\' | '*' | '_' | '`' | '~' | '|' | '[' | ']' | '<' | '>' | '#');
        length += c.len_utf16() + usize::from(special);
        if length >= most {
            escaped.push('…');
            break;
        }
        if special {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    shortened(&escaped, most)
}
