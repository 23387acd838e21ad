//! `kind = "ntfy"`: a topic of ntfy.sh or of a server of one's own, <https://docs.ntfy.sh/publish/#publish-as-json>.

use async_trait::async_trait;
use reqwest::Url;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::super::{Channel, Message, MessageKind, Receipt, SendError};
use super::http::{Http, JsonBody, address, fetch, judge, permanent, secret};
use super::view::{View, shortened};
use crate::config::Ntfy as Settings;
use crate::state::Status;

/// Bytes of a message; a longer one becomes a file to download.
const MESSAGE_BYTES: usize = 4096;
const TITLE: usize = 200;

pub(super) struct Ntfy {
    pub recipient: String,
    pub http: Http,
    pub settings: Settings,
}

impl Ntfy {
    /// The server's address, and the topic. Messages go to the server itself, as JSON: headers would not take every letter.
    async fn topic(&self) -> Result<(Url, String), SendError> {
        let mut url = address(&self.settings.url).await?;
        let topic = url.path().trim_matches('/').to_owned();
        if topic.is_empty() || topic.contains('/') {
            let hint = "write it like `https://ntfy.sh/TOPIC`";
            return Err(permanent("the file does not hold the address of a topic".to_owned(), Some(hint)));
        }
        url.set_path("/");
        Ok((url, topic))
    }
}

#[async_trait]
impl Channel for Ntfy {
    fn recipients(&self) -> Vec<String> {
        vec![self.recipient.clone()]
    }

    async fn probe(&self) -> Result<Receipt, SendError> {
        if let Some(source) = &self.settings.token {
            secret(source).await?;
        }
        self.http.probe(&self.topic().await?.0).await
    }

    async fn send(&self, message: &Message, _recipient: &str) -> Result<Receipt, SendError> {
        let (url, topic) = self.topic().await?;
        let body = form(&View::of(message), &topic);
        let mut request = self.http.client().await?.post(url).json_body(body.to_string());
        if let Some(source) = &self.settings.token {
            request = request.bearer_auth(secret(source).await?.expose_secret());
        }
        judge(fetch(request, &[&topic]).await?)
    }
}

pub(super) fn form(view: &View, topic: &str) -> Value {
    let (priority, tag) = match (view.status, view.kind) {
        (_, MessageKind::Digest) => (2, "clipboard"),
        (_, MessageKind::Acknowledged) => (2, "eyes"),
        (_, MessageKind::Test) => (3, "test_tube"),
        (Status::Critical, _) => (5, "rotating_light"),
        (Status::Warning, _) => (4, "warning"),
        (Status::Unknown, _) => (3, "grey_question"),
        (Status::Ok | Status::NotApplicable, _) => (3, "white_check_mark"),
    };
    json!({
        "topic": topic,
        "title": shortened(&view.title, TITLE),
        "message": bytes(&view.lines().join("\n"), MESSAGE_BYTES),
        "priority": priority,
        "tags": [tag],
    })
}

/// At most so many bytes, whole characters; what is cut off is marked.
fn bytes(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most.saturating_sub('…'.len_utf8()));
    format!("{}…", &text[..end])
}
