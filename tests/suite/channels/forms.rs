//! The ready-made forms, before servers that check what each service documents.

use caretaker::alert::{Message, MessageKind};
use rstest::rstest;
use serde_json::Value;

use super::told::{acknowledged, monstrous, opened, permanent, recovered, send, temporary};
use crate::support::{Heard, Hook, Sandbox, answer};

type Check = fn(&Heard) -> Result<(), String>;

/// A service that refuses what it would refuse.
fn service(check: Check) -> Hook {
    Hook::start(move |heard| match check(heard) {
        Ok(()) => answer("200 OK", "", "{\"ok\":true}"),
        Err(why) => answer("400 Bad Request", "", &why),
    })
}

/// A sandbox whose channel `ops` is of this kind, at this service.
fn telling(kind: &str, url: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let (secret, lines) = match kind {
        "telegram" => ("123:t0ken".to_owned(), format!("token_file = './key'\nchat_id = -100200\nserver = '{url}'\n")),
        "pagerduty" => ("k".repeat(32), format!("routing_key_file = './key'\nserver = '{url}'\n")),
        "ntfy" => (format!("{url}/topic"), "url_file = './key'\ntoken_file = './token'\n".to_owned()),
        _ => (format!("{url}/hook/t0ken"), "url_file = './key'\n".to_owned()),
    };
    sandbox.secret("key", &secret);
    sandbox.secret("token", "tk_t0ken\n");
    sandbox.configure(&format!("[channels.ops]\nkind = '{kind}'\n{lines}"));
    sandbox
}

fn need(is_so: bool, what: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(what.to_owned()) }
}

/// A text of one to so many characters.
fn text(value: &Value, most: usize, what: &str) -> Result<String, String> {
    let text = value.as_str().ok_or_else(|| format!("{what} is no text"))?;
    need((1..=most).contains(&text.chars().count()), &format!("the length of {what}"))?;
    Ok(text.to_owned())
}

/// <https://docs.slack.dev/reference/block-kit/blocks>
fn slack(heard: &Heard) -> Result<(), String> {
    let body = heard.json();
    let fallback = text(&body["text"], 4000, "text")?;
    need(!fallback.contains('<'), "text is escaped")?;
    let blocks = body["blocks"].as_array().ok_or("blocks")?;
    need((1..=50).contains(&blocks.len()), "50 blocks")?;
    for block in blocks {
        let plain = |object: &Value, most| -> Result<(), String> {
            need(object["type"] == "plain_text", "mentions act in mrkdwn only")?;
            text(&object["text"], most, "block").map(drop)
        };
        match block["type"].as_str() {
            Some("header") => plain(&block["text"], 150)?,
            Some("section") => plain(&block["text"], 3000)?,
            Some("context") => {
                let elements = block["elements"].as_array().ok_or("elements")?;
                need((1..=10).contains(&elements.len()), "10 elements")?;
                elements.iter().try_for_each(|element| plain(element, 3000))?;
            }
            other => return Err(format!("block {other:?}")),
        }
    }
    Ok(())
}

/// <https://discord.com/developers/docs/resources/message#embed-object-embed-limits>
fn discord(heard: &Heard) -> Result<(), String> {
    let body = heard.json();
    need(body["allowed_mentions"]["parse"] == serde_json::json!([]), "nobody is called")?;
    let embeds = body["embeds"].as_array().ok_or("embeds")?;
    need((1..=10).contains(&embeds.len()), "10 embeds")?;
    let mut all = 0;
    for embed in embeds {
        let title = text(&embed["title"], 256, "title")?;
        let description = text(&embed["description"], 4096, "description")?;
        all += title.chars().count() + description.chars().count();
        need(embed["color"].as_u64().is_some_and(|color| color <= 0xff_ff_ff), "color")?;
        need(embed["timestamp"].as_str().is_some_and(|at| at.parse::<jiff::Timestamp>().is_ok()), "timestamp")?;
        need(!description.contains("[x](http"), "links are escaped")?;
    }
    need(all <= 6000, "6000 characters")
}

/// <https://learn.microsoft.com/power-automate/teams/send-a-message-in-teams>, <https://adaptivecards.io/explorer>
fn teams(heard: &Heard) -> Result<(), String> {
    need(heard.body.len() <= 28 * 1024, "28 KB")?;
    let body = heard.json();
    need(body["type"] == "message", "type")?;
    let attachment = &body["attachments"][0];
    need(attachment["contentType"] == "application/vnd.microsoft.card.adaptive", "contentType")?;
    let card = &attachment["content"];
    need(card["type"] == "AdaptiveCard" && card["version"] == "1.4", "an Adaptive Card")?;
    for block in card["body"].as_array().ok_or("body")? {
        need(block["type"] == "RichTextBlock", "no Markdown")?;
        for run in block["inlines"].as_array().ok_or("inlines")? {
            need(run["type"] == "TextRun", "TextRun")?;
            text(&run["text"], 20_000, "run")?;
        }
    }
    Ok(())
}

/// <https://docs.ntfy.sh/publish/#publish-as-json>
fn ntfy(heard: &Heard) -> Result<(), String> {
    need(heard.line == "POST / HTTP/1.1", "posted to the root")?;
    need(heard.header("authorization") == "Bearer tk_t0ken", "the token")?;
    let body = heard.json();
    need(body["topic"] == "topic", "topic")?;
    text(&body["title"], 250, "title")?;
    need(text(&body["message"], 4096, "message")?.len() <= 4096, "4096 bytes")?;
    need(body["priority"].as_u64().is_some_and(|priority| (1..=5).contains(&priority)), "priority")?;
    need(body["tags"].is_array(), "tags")
}

/// <https://core.telegram.org/bots/api#sendmessage>
fn telegram(heard: &Heard) -> Result<(), String> {
    need(heard.line == "POST /bot123:t0ken/sendMessage HTTP/1.1", "the method")?;
    let body = heard.json();
    need(body["chat_id"] == "-100200", "chat_id")?;
    need(body.get("parse_mode").is_none(), "nothing to parse")?;
    text(&body["text"], 4096, "text").map(drop)
}

/// <https://developer.pagerduty.com/api-reference/YXBpOjI3NDgyNjU-pager-duty-v2-events-api>
fn pagerduty(heard: &Heard) -> Result<(), String> {
    need(heard.line == "POST /v2/enqueue HTTP/1.1", "the path")?;
    need(heard.body.len() <= 512 * 1024, "512 KB")?;
    let body = heard.json();
    need(text(&body["routing_key"], 32, "routing_key")?.len() == 32, "routing_key")?;
    text(&body["dedup_key"], 255, "dedup_key")?;
    match body["event_action"].as_str() {
        Some("resolve" | "acknowledge") => Ok(()),
        Some("trigger") => {
            let payload = &body["payload"];
            text(&payload["summary"], 1024, "summary")?;
            text(&payload["source"], 1024, "source")?;
            need(["critical", "error", "warning", "info"].map(Value::from).contains(&payload["severity"]), "severity")
        }
        other => Err(format!("event_action {other:?}")),
    }
}

#[rstest]
#[case::slack("slack", slack)]
#[case::discord("discord", discord)]
#[case::teams("teams", teams)]
#[case::ntfy("ntfy", ntfy)]
#[case::telegram("telegram", telegram)]
#[case::pagerduty("pagerduty", pagerduty)]
#[tokio::test]
async fn each_service_takes_messages_of_every_size(#[case] kind: &str, #[case] check: Check) {
    let hook = service(check);
    let sandbox = telling(kind, &hook.url);
    for message in [opened(), recovered(), monstrous()] {
        send(&sandbox, &message).await.unwrap();
    }
    let heard = hook.heard();
    assert!(heard[0].body.contains("5m 12s behind"), "{}", heard[0].body);
    sandbox.caretaker(&["alert", "test", "ops"]).succeeds();
    assert!(hook.heard().len() > heard.len());
}

#[rstest]
#[case("slack")]
#[case("discord")]
#[case("teams")]
#[case("ntfy")]
#[case("telegram")]
#[case("pagerduty")]
#[tokio::test]
async fn a_refusal_holds_no_secret(#[case] kind: &str) {
    let hook = Hook::start(|heard| answer("403 Forbidden", "", &format!("no: {} {}", heard.line, heard.body)));
    let said = permanent(send(&telling(kind, &hook.url), &opened()).await);
    assert!(said.contains("403") && !said.contains("t0ken") && !said.contains("kkkk"), "{said}");
}

#[tokio::test]
async fn telegram_says_in_its_answer_how_long_to_wait() {
    let body = "{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":21}}";
    let hook = Hook::start(move |_| answer("429 Too Many Requests", "", body));
    let sent = send(&telling("telegram", &hook.url), &opened()).await;
    let Err(caretaker::alert::SendError::Temporary { retry_after, .. }) = sent else { panic!("{sent:?}") };
    assert_eq!(retry_after.map(|pause| pause.as_secs()), Some(21));
}

#[tokio::test]
async fn pagerduty_opens_one_alert_per_incident_acknowledges_and_resolves_it() {
    let hook = service(pagerduty);
    let sandbox = telling("pagerduty", &hook.url);
    for message in [opened(), opened(), acknowledged(), recovered()] {
        send(&sandbox, &message).await.unwrap();
    }
    let events: Vec<Value> = hook.heard().iter().map(Heard::json).collect();
    let keys: Vec<&Value> = events.iter().map(|event| &event["dedup_key"]).collect();
    assert!(keys.iter().all(|key| *key == &Value::from(opened().incidents[0].id.clone())), "{keys:?}");
    let actions: Vec<&Value> = events.iter().map(|event| &event["event_action"]).collect();
    assert_eq!(actions, ["trigger", "trigger", "acknowledge", "resolve"]);
}

#[tokio::test]
async fn pagerduty_hears_of_an_acknowledgement_that_comes_with_other_news() {
    let hook = service(pagerduty);
    let worse = Message { kind: MessageKind::Changed, ..acknowledged() };
    send(&telling("pagerduty", &hook.url), &worse).await.unwrap();
    let actions: Vec<Value> = hook.heard().iter().map(|heard| heard.json()["event_action"].clone()).collect();
    assert_eq!(actions, ["trigger", "acknowledge"]);
}

#[rstest]
#[case("slack")]
#[case("discord")]
#[case("teams")]
#[case("ntfy")]
#[case("telegram")]
#[tokio::test]
async fn chats_say_who_is_on_it(#[case] kind: &str) {
    let hook = Hook::open();
    send(&telling(kind, &hook.url), &acknowledged()).await.unwrap();
    let said = hook.heard().remove(0).body;
    assert!(said.contains("ACKNOWLEDGED") && said.contains("app replication: anna is on it"), "{said}");
}

#[tokio::test]
async fn a_service_that_is_down_may_come_back() {
    let said = temporary(send(&telling("slack", "http://127.0.0.1:1"), &opened()).await);
    assert!(said.contains("refused") && !said.contains("t0ken"), "{said}");
}
