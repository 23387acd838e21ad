//! `kind = "teams"`: a workflow "when a Teams webhook request is received", which takes an Adaptive Card,
//! <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook>.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::super::{Channel, Message, Receipt, SendError};
use super::http::Http;
use super::view::{View, shortened};
use crate::config::SecretSource;
use crate::state::Status;

/// A message may have 28 KB; bytes of the blocks of text, as JSON.
const TEXT_BYTES: usize = 24 * 1024;
/// Characters of one line.
const LINE: usize = 2000;

pub(super) struct Teams {
    pub recipient: String,
    pub http: Http,
    pub url: SecretSource,
}

#[async_trait]
impl Channel for Teams {
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
        Status::Critical => "attention",
        Status::Warning => "warning",
        Status::Unknown => "accent",
        Status::Ok | Status::NotApplicable => "good",
    };
    // Rich text is not Markdown: no link and no mention can come about.
    let rich = |run: Value| json!({"type": "RichTextBlock", "inlines": [run]});
    let mut body = vec![rich(json!({
        "type": "TextRun", "text": view.title, "weight": "bolder", "size": "medium", "color": color
    }))];
    let lines = view.lines().join("\n");
    let mut bytes = 0;
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let block = rich(json!({"type": "TextRun", "text": shortened(line, LINE)}));
        bytes += block.to_string().len();
        if bytes > TEXT_BYTES {
            body.push(rich(json!({"type": "TextRun", "text": "…"})));
            break;
        }
        body.push(block);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": {"width": "Full"},
                "body": body,
            },
        }],
    })
}
