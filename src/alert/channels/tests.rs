//! What holds for every message, whatever is in it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::super::{IncidentView, Message, MessageKind, Row, Section};
use super::presented::{line, presentable};
use super::view::View;
use super::{discord, http, ntfy, pagerduty, slack, teams, telegram, webhook};
use crate::state::{CheckKey, Status};

prop_compose! {
    fn an_incident()(
        texts in prop::collection::vec(".{0,300}", 8),
        evidence in prop::collection::vec(prop_oneof!["(?s).{0,2000}", "[a\n]{0,9000}", "[🙂*]{0,9000}"], 0..8),
        is_over: bool,
    ) -> IncidentView {
        let opened_at = Timestamp::UNIX_EPOCH;
        IncidentView {
            id: "0193f0a0-0000-7000-8000-000000000001".to_owned(),
            key: CheckKey { source: texts[0].clone(), subject: texts[1].clone(), name: texts[2].clone() },
            status: Status::Warning,
            worst: Status::Critical,
            opened_at,
            closed_at: is_over.then_some(opened_at),
            acknowledged_by: None,
            summary: texts[3].clone(),
            value: Some(texts[4].clone()),
            worst_value: Some(texts[5].clone()),
            threshold: Some(texts[6].clone()),
            advice: Some(texts[7].clone()),
            evidence,
        }
    }
}

prop_compose! {
    fn a_message()(
        incidents in prop::collection::vec(an_incident(), 0..6),
        text in prop::collection::vec("(?s).{0,3000}", 0..4),
        host in ".{0,80}",
        kind in prop::sample::select(vec![MessageKind::Opened, MessageKind::Recovered, MessageKind::Digest, MessageKind::Test]),
    ) -> Message {
        Message {
            id: "0193f0a0-0000-7000-8000-0000000000aa".to_owned(),
            kind,
            severity: Status::Critical,
            at: Timestamp::UNIX_EPOCH,
            host,
            environment: "production".to_owned(),
 timezone: None,
            incidents,
            sections: vec![Section {
                title: text.concat(),
                rows: vec![Row { name: text.concat(), status: Status::Warning, facts: text.clone() }; 40],
            }],
            text,
        }
    }
}

fn length(value: &serde_json::Value) -> usize {
    value.as_str().unwrap().encode_utf16().count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_form_stays_within_its_services_limits(message in a_message()) {
        let view = View::of(&presentable(&message));
        prop_assert!(view.title.encode_utf16().count() <= 200 && !view.title.contains(['\n', '\r']));
        let form = slack::form(&view);
        let blocks = form["blocks"].as_array().unwrap();
        prop_assert!(blocks.len() <= 50 && length(&blocks[0]["text"]["text"]) <= 150);
        let form = discord::form(&view);
        prop_assert!(length(&form["embeds"][0]["title"]) <= 256 && length(&form["embeds"][0]["description"]) <= 4096);
        prop_assert!(teams::form(&view).to_string().len() <= 28 * 1024);
        prop_assert!(ntfy::form(&view, "t")["message"].as_str().unwrap().len() <= 4096);
        prop_assert!(length(&telegram::form(&view, "1")["text"]) <= 4096);
        for event in pagerduty::events(&view, "k") {
            if let Some(payload) = event.get("payload") {
                prop_assert!(length(&payload["summary"]) <= 1024);
            }
        }
        prop_assert!(serde_json::from_str::<serde_json::Value>(&webhook::body(None, &message).unwrap()).is_ok());
    }

    #[test]
    fn a_line_has_no_control_characters(text in "(?s).{0,300}") {
        prop_assert!(!line(&text).chars().any(char::is_control));
    }
}

#[test]
fn retry_after_is_seconds_or_a_date_and_not_for_ever() {
    let now: Timestamp = "2026-11-20T02:00:00Z".parse().unwrap();
    for (value, seconds) in [
        ("17", Some(17)),
        (" 0 ", Some(0)),
        ("-5", Some(0)),
        ("999999", Some(3600)),
        ("Fri, 20 Nov 2026 02:00:30 GMT", Some(30)),
        ("Fri, 20 Nov 2026 01:00:00 GMT", Some(0)),
        ("soon", None),
    ] {
        assert_eq!(http::pause(value, now), seconds.map(Duration::from_secs), "{value}");
    }
}

#[test]
fn a_signature_is_that_of_the_specification() {
    // From the test data of the specification's own libraries.
    let key = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let signature =
        webhook::sign(&key.unwrap(), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}
