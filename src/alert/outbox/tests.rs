//! One recipient's queue against a channel that does as it is told.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::super::{Channel, Message, Receipt, SendError};
use super::lane::Lane;
use crate::state::{Desk, NewNotification, NotificationState, State, Status, Step};

/// What becomes of a message.
#[derive(Clone, Copy)]
enum Fate {
    Vain,
    Refused,
    Panic,
}

/// A channel that delivers whatever has no other fate, and remembers what it was asked.
#[derive(Default)]
struct Scripted {
    fates: Mutex<BTreeMap<&'static str, Fate>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Channel for Scripted {
    fn recipients(&self) -> Vec<String> {
        vec!["ops".to_owned()]
    }

    async fn probe(&self) -> Result<Receipt, SendError> {
        Ok(Receipt(String::new()))
    }

    async fn send(&self, message: &Message, _recipient: &str) -> Result<Receipt, SendError> {
        self.asked.lock().unwrap().push(message.id.clone());
        let fate = self.fates.lock().unwrap().get(message.id.as_str()).copied();
        match fate {
            None => Ok(Receipt("taken".to_owned())),
            Some(Fate::Vain) => Err(SendError::Temporary { message: "busy".to_owned(), retry_after: None }),
            Some(Fate::Refused) => Err(SendError::Permanent { message: "no such user".to_owned(), hint: None }),
            Some(Fate::Panic) => panic!("a defect of the channel"),
        }
    }
}

/// A store in which these messages wait, each about an incident.
async fn store(dir: &std::path::Path, messages: &[(&str, &str)]) -> State {
    let state = State::open(dir).await.unwrap();
    let now = Timestamp::now();
    let notification = |(id, incident): &(&str, &str)| NewNotification {
        message_id: (*id).to_owned(),
        channel: "ops".to_owned(),
        recipient: "ops".to_owned(),
        message: message(id, incident),
        expires_at: now + jiff::SignedDuration::from_hours(72),
    };
    let notifications: Vec<NewNotification> = messages.iter().map(notification).collect();
    let plan = |_: &Desk| Step { notifications: notifications.clone(), ..Step::default() };
    state.advance_alerts(now, plan).await.unwrap();
    state
}

/// A message as it stands in the outbox.
fn message(id: &str, incident: &str) -> String {
    serde_json::json!({
        "id": id, "kind": "opened", "severity": "critical", "at": "2026-03-02T02:00:00Z", "host": "here",
        "environment": "production", "text": [],
        "incidents": [{
            "id": incident, "source": "job", "subject": "backup.nightly", "name": "run", "status": "critical",
            "worst": "critical", "opened_at": "2026-03-02T02:00:00Z", "closed_at": null, "summary": "failed",
            "value": null, "worst_value": null, "threshold": null, "advice": null, "evidence": [],
        }],
    })
    .to_string()
}

/// Lets a queue work as after a start of the process, and gives what the channel was asked.
async fn work(channel: &Scripted, state: &State) -> Vec<String> {
    let whom = ("ops".to_owned(), "ops".to_owned());
    Lane::new(false).work(&whom, channel, state, &CancellationToken::new()).await;
    std::mem::take(&mut channel.asked.lock().unwrap())
}

#[tokio::test]
async fn a_notification_that_alone_fails_is_passed_by_others_but_not_by_those_of_its_incident() {
    let dir = tempfile::tempdir().unwrap();
    let state = store(dir.path(), &[("m1", "fire"), ("m2", "flood"), ("m3", "fire"), ("m4", "flood")]).await;
    let channel = Scripted::default();
    channel.fates.lock().unwrap().insert("m1", Fate::Vain);
    assert_eq!(work(&channel, &state).await, ["m1"], "the other side may be down: one attempt is enough");
    assert_eq!(work(&channel, &state).await, ["m1"]);
    assert_eq!(work(&channel, &state).await, ["m1", "m2", "m4"]);
    channel.fates.lock().unwrap().clear();
    assert_eq!(work(&channel, &state).await, ["m1", "m3"]);
    assert_eq!(work(&channel, &state).await, [""; 0]);
}

#[tokio::test]
async fn while_nothing_is_taken_the_oldest_and_one_other_are_tried() {
    let dir = tempfile::tempdir().unwrap();
    let state = store(dir.path(), &[("m1", "a"), ("m2", "b"), ("m3", "c")]).await;
    let channel = Scripted::default();
    channel.fates.lock().unwrap().extend([("m1", Fate::Vain), ("m2", Fate::Vain), ("m3", Fate::Vain)]);
    for _ in 0..2 {
        assert_eq!(work(&channel, &state).await, ["m1"]);
    }
    assert_eq!(work(&channel, &state).await, ["m1", "m2"]);
    channel.fates.lock().unwrap().clear();
    assert_eq!(work(&channel, &state).await, ["m1", "m2", "m3"]);
}

#[tokio::test]
async fn what_is_refused_is_settled_and_an_incident_that_the_next_delivery_ends() {
    let dir = tempfile::tempdir().unwrap();
    let state = store(dir.path(), &[("m1", "a"), ("m2", "a")]).await;
    let channel = Scripted::default();
    channel.fates.lock().unwrap().extend([("m1", Fate::Refused), ("m2", Fate::Refused)]);
    assert_eq!(work(&channel, &state).await, ["m1", "m2"]);
    let said = state.last_checks("delivery", Some("ops")).await.unwrap().remove(0).observation;
    assert_eq!((said.status, said.key.name.as_str()), (Status::Critical, "delivery"));
    assert_eq!(said.summary, "a notification was refused: no such user");
    let all = state.outbox(true, 10).await.unwrap();
    assert!(all.iter().all(|it| it.state == NotificationState::Refused && it.attempts == 1));
}

#[tokio::test]
async fn a_channel_that_panics_is_one_that_fails() {
    let dir = tempfile::tempdir().unwrap();
    let state = store(dir.path(), &[("m1", "a")]).await;
    let channel = Scripted::default();
    channel.fates.lock().unwrap().insert("m1", Fate::Panic);
    assert_eq!(work(&channel, &state).await, ["m1"]);
    let waiting = state.outbox(false, 10).await.unwrap().remove(0);
    assert_eq!((waiting.attempts, waiting.answer.as_deref()), (1, Some("an internal error: see the log")));
}
