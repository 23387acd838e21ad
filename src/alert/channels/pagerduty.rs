//! `kind = "pagerduty"`: the Events API v2, <https://developer.pagerduty.com/docs/events-api-v2-overview>.
//!
//! An incident is an alert there, recognised by its id: told of twice it is still one, who is on it acknowledges it, and its end resolves it.

use async_trait::async_trait;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::super::{Channel, Message, MessageKind, Receipt, SendError};
use super::http::{Http, JsonBody, fetch, judge, permanent, secret, service};
use super::view::{Incident, View, shortened};
use crate::config::Pagerduty as Settings;
use crate::state::Status;

/// Characters of a summary.
const SUMMARY: usize = 1024;
/// Lines of evidence; an event may have 512 KB.
const EVIDENCE: usize = 50;

pub(super) struct Pagerduty {
    pub recipient: String,
    pub http: Http,
    pub settings: Settings,
}

#[async_trait]
impl Channel for Pagerduty {
    fn recipients(&self) -> Vec<String> {
        vec![self.recipient.clone()]
    }

    async fn probe(&self) -> Result<Receipt, SendError> {
        secret(&self.settings.routing_key).await?;
        self.http.probe(&service(&self.settings.server)?).await
    }

    async fn send(&self, message: &Message, _recipient: &str) -> Result<Receipt, SendError> {
        let key = secret(&self.settings.routing_key).await?;
        let key = key.expose_secret().trim();
        let events = events(&View::of(message), key);
        if events.is_empty() {
            return Ok(Receipt("nothing to page anybody for".to_owned()));
        }
        let url = reqwest::Url::parse(&format!("{}/v2/enqueue", self.settings.server))
            .map_err(|error| permanent(format!("`server`: {error}"), None))?;
        let mut last = None;
        for event in &events {
            let request = self.http.client().await?.post(url.clone()).json_body(event.to_string());
            last = Some(judge(fetch(request, &[key]).await?)?);
        }
        Ok(last.unwrap_or_else(|| Receipt(String::new())))
    }
}

/// One event for each incident. A test is an alert that is resolved at once; a digest wakes nobody.
pub(super) fn events(view: &View, key: &str) -> Vec<Value> {
    match view.kind {
        MessageKind::Digest => Vec::new(),
        MessageKind::Test => vec![
            event(key, "trigger", &view.id, Some(payload(view, "info", &view.title, json!({"text": view.text})))),
            event(key, "resolve", &view.id, None),
        ],
        _ if view.incidents.is_empty() => {
            let details = json!({"text": view.text});
            vec![event(key, "trigger", &view.id, Some(payload(view, severity(view.status), &view.title, details)))]
        }
        _ => view.incidents.iter().flat_map(|incident| of(view, incident, key)).collect(),
    }
}

fn of(view: &View, incident: &Incident, key: &str) -> Vec<Value> {
    if incident.is_over {
        return vec![event(key, "resolve", &incident.id, None)];
    }
    let acknowledged = incident.acknowledged_by.as_ref().map(|_| event(key, "acknowledge", &incident.id, None));
    let news = (view.kind != MessageKind::Acknowledged).then(|| trigger(view, incident, key));
    news.into_iter().chain(acknowledged).collect()
}

fn trigger(view: &View, incident: &Incident, key: &str) -> Value {
    let summary = format!("{}: {}", incident.title, incident.summary);
    let details = json!({
        "value": incident.value,
        "worst_value": incident.worst_value,
        "threshold": incident.threshold,
        "since": incident.since,
        "advice": incident.advice,
        "evidence": incident.evidence.iter().take(EVIDENCE).map(|line| shortened(line, SUMMARY)).collect::<Vec<_>>(),
    });
    let mut payload = payload(view, severity(incident.status), &summary, details);
    payload["component"] = json!(incident.subject);
    payload["class"] = json!(incident.check);
    event(key, "trigger", &incident.id, Some(payload))
}

fn event(key: &str, action: &str, dedup_key: &str, payload: Option<Value>) -> Value {
    let mut event = json!({"routing_key": key, "event_action": action, "dedup_key": dedup_key});
    if let Some(payload) = payload {
        event["payload"] = payload;
        event["client"] = json!("Caretaker");
    }
    event
}

fn payload(view: &View, severity: &str, summary: &str, details: Value) -> Value {
    json!({
        "summary": shortened(summary, SUMMARY),
        "source": view.host,
        "severity": severity,
        "timestamp": view.at,
        "group": view.environment,
        "custom_details": details,
    })
}

fn severity(status: Status) -> &'static str {
    match status {
        Status::Critical => "critical",
        Status::Warning => "warning",
        Status::Unknown => "error",
        Status::Ok | Status::NotApplicable => "info",
    }
}
