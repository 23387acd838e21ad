//! `kind = "slack"`: an incoming webhook, <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::super::{Channel, Message, Receipt, SendError};
use super::http::Http;
use super::view::{View, fitted, shortened};
use crate::config::SecretSource;

/// <https://docs.slack.dev/reference/block-kit/blocks>: characters of a header, of a section; blocks of a message.
const HEADER: usize = 150;
const SECTION: usize = 3000;
const BLOCKS: usize = 50;

pub(super) struct Slack {
    pub recipient: String,
    pub http: Http,
    pub url: SecretSource,
}

#[async_trait]
impl Channel for Slack {
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
    let plain = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
    let mut blocks = vec![json!({"type": "header", "text": plain(&shortened(&view.title, HEADER))})];
    let sections: Vec<String> = view.blocks().iter().map(|lines| fitted(lines, SECTION)).collect();
    // The header before them, the foot and perhaps a remark after them.
    let room = BLOCKS - 3;
    let left_out = sections.len().saturating_sub(room);
    // Plain text is not searched for mentions and links: nothing in it can call a whole channel.
    blocks.extend(sections.iter().take(room).map(|text| json!({"type": "section", "text": plain(text)})));
    if left_out > 0 {
        blocks.push(json!({"type": "section", "text": plain(&format!("… and {left_out} more"))}));
    }
    blocks.push(json!({"type": "context", "elements": [plain(&shortened(&view.foot(), SECTION))]}));
    // What notifications show. This one is searched, so it is escaped.
    json!({"text": escaped(&view.title), "blocks": blocks})
}

/// <https://docs.slack.dev/messaging/formatting-message-text#escaping>
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
