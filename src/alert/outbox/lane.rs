//! One recipient's queue.

use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::super::{Channel, Message, Receipt, SendError, patience};
use super::Whom;
use super::backoff::pause;
use crate::fault::chain;
use crate::state::{CheckKey, Notification, NotificationState, Observation, Sent, State, Status};

/// How long one delivery may take, whatever the channel thinks of it.
const WITHIN: Duration = Duration::from_secs(30);

/// How many notifications are read at a time.
const BATCH: u32 = 100;

/// After so many attempts in vain at one notification, the next one is tried too: it may be the notification's fault.
const DOUBTFUL: u32 = 3;

/// A recipient for whom something has waited so long, after so many attempts, and who got nothing else meanwhile, cannot
/// be reached: others are told before it is too late.
const LONG: SignedDuration = SignedDuration::from_mins(15);
const ATTEMPTS: u32 = 5;

/// How long to wait before a record that could not be written is tried again.
const RECORD_AGAIN: Duration = Duration::from_secs(1);

/// A recipient's queue between two notifications.
#[derive(Debug)]
pub(super) struct Lane {
    /// When each notification that was tried in vain is tried again.
    not_before: HashMap<i64, Instant>,
    /// Whether it was said last that nothing reaches the recipient.
    is_in_trouble: bool,
    /// Whether the last attempt was in vain.
    is_failing: bool,
    /// When something last reached the recipient.
    delivered_at: Option<Timestamp>,
}

/// Until when a queue has nothing to do, as far as it knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    pub until: Option<Instant>,
}

/// What became of an attempt.
enum Attempt {
    /// It is settled.
    Settled,
    /// It was in vain; after so many attempts.
    Vain(u32),
}

impl Lane {
    /// The queue of a recipient. `is_in_trouble`: whether it was said last that nothing reaches them.
    pub fn new(is_in_trouble: bool) -> Self {
        Self { not_before: HashMap::new(), is_in_trouble, is_failing: false, delivered_at: None }
    }

    /// Delivers what waits, until there is nothing left or the other side takes nothing.
    pub async fn work(
        &mut self,
        whom: &Whom,
        channel: &dyn Channel,
        state: &State,
        cancel: &CancellationToken,
    ) -> Rest {
        let mut in_vain = 0;
        loop {
            let batch = match state.outbox_of(&whom.0, &whom.1, BATCH).await {
                Ok(batch) => batch,
                Err(error) => {
                    tracing::error!(channel = whom.0, error = %chain(&error), "the outbox cannot be read");
                    return Rest { until: Some(Instant::now() + RECORD_AGAIN) };
                }
            };
            self.not_before.retain(|seq, _| batch.iter().any(|it| it.seq == *seq));
            let mut held: BTreeSet<String> = BTreeSet::new();
            let mut settled = false;
            for it in &batch {
                if cancel.is_cancelled() {
                    return Rest { until: None };
                }
                let about = incidents(it);
                let is_early = self.not_before.get(&it.seq).is_some_and(|at| *at > Instant::now());
                if is_early || about.iter().any(|id| held.contains(id)) {
                    held.extend(about);
                    continue;
                }
                match self.attempt(it, whom, channel, state, cancel).await {
                    Attempt::Settled => (settled, in_vain) = (true, 0),
                    Attempt::Vain(attempts) => {
                        in_vain += 1;
                        held.extend(about);
                        if in_vain > 1 || attempts < DOUBTFUL {
                            return self.rest();
                        }
                    }
                }
            }
            if !settled && in_vain == 0 {
                // The other side takes what it gets: what comes next must not wait for what is tried again later.
                return Rest { until: None };
            }
            if !settled {
                return self.rest();
            }
        }
    }

    /// Whether it is time to say that the recipient cannot be reached.
    fn is_cut_off(&self, it: &Notification, attempts: u32, now: Timestamp) -> bool {
        let since = self.delivered_at.map_or(it.queued_at, |at| at.max(it.queued_at));
        !self.is_in_trouble && attempts >= ATTEMPTS && now.duration_since(since) >= LONG
    }

    fn rest(&self) -> Rest {
        Rest { until: self.not_before.values().min().copied() }
    }

    async fn attempt(
        &mut self,
        it: &Notification,
        whom: &Whom,
        channel: &dyn Channel,
        state: &State,
        cancel: &CancellationToken,
    ) -> Attempt {
        let result = send(it, channel).await;
        let now = Timestamp::now();
        let attempts = it.attempts.saturating_add(1);
        let sent =
            |state, answer: String| Sent { seq: it.seq, state, answer, tried: true, next_at: None, observation: None };
        let (seq, channel, recipient) = (it.seq, &whom.0, &whom.1);
        let sent = match result {
            Ok(Receipt(answer)) => {
                tracing::info!(seq, channel, recipient, message_id = it.message_id, attempts, answer, "delivered");
                (self.is_failing, self.delivered_at) = (false, Some(now));
                let observation = self.is_in_trouble.then(|| delivered(whom, now));
                Sent { observation, ..sent(NotificationState::Delivered, answer) }
            }
            Err(SendError::Permanent { message, hint }) => {
                tracing::error!(seq, channel, recipient, attempts, error = message, hint, "refused");
                let why = Some(lost(whom, "refused", &message, hint, now));
                Sent { observation: why, ..sent(NotificationState::Refused, message) }
            }
            // One that is too late has had its last chance.
            Err(SendError::Temporary { message, .. }) if it.expires_at <= now => {
                tracing::error!(seq, channel, recipient, attempts, error = message, "expired");
                let why = Some(lost(whom, "not delivered in time", &message, None, now));
                Sent { observation: why, ..sent(NotificationState::Expired, message) }
            }
            Err(SendError::Temporary { message, retry_after }) => {
                let pause = pause(attempts, retry_after);
                let retry_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                if self.is_failing {
                    tracing::info!(
                        seq,
                        channel,
                        recipient,
                        attempts,
                        retry_in_ms,
                        error = message,
                        "not delivered yet"
                    );
                } else {
                    let hint = again(whom);
                    tracing::warn!(seq, channel, recipient, retry_in_ms, error = message, hint, "not delivered yet");
                    self.is_failing = true;
                }
                let observation = self.is_cut_off(it, attempts, now).then(|| late(whom, it, &message, now));
                self.not_before.insert(it.seq, Instant::now() + pause);
                let next_at = jiff::SignedDuration::try_from(pause).ok().and_then(|pause| now.checked_add(pause).ok());
                Sent { next_at, observation, ..sent(NotificationState::Waiting, message) }
            }
        };
        if let Some(observation) = &sent.observation {
            self.is_in_trouble = observation.status > Status::Ok;
        }
        let is_waiting = sent.state == NotificationState::Waiting;
        write_down(&sent, now, state, cancel).await;
        if is_waiting { Attempt::Vain(attempts) } else { Attempt::Settled }
    }
}

/// Sends a notification, within its time, and whatever the channel does.
async fn send(it: &Notification, channel: &dyn Channel) -> Result<Receipt, SendError> {
    let message: Message = serde_json::from_value(it.message.clone())
        .map_err(|error| SendError::Permanent { message: format!("it cannot be read: {error}"), hint: None })?;
    let temporary = |message: String| SendError::Temporary { message, retry_after: None };
    match timeout(WITHIN, AssertUnwindSafe(channel.send(&message, &it.recipient)).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(temporary("an internal error: see the log".to_owned())),
        Err(_) => Err(temporary(format!("no answer within {} s", WITHIN.as_secs()))),
    }
}

/// Writes down what an attempt has come to, with all the patience it takes: what was delivered and is not written down
/// would be delivered again.
async fn write_down(sent: &Sent, now: Timestamp, state: &State, cancel: &CancellationToken) {
    let mut is_told = false;
    while let Err(error) = state.settle_notification(sent, now).await {
        if !is_told {
            tracing::error!(seq = sent.seq, error = %chain(&error), "a delivery is not recorded yet");
            is_told = true;
        }
        if cancel.run_until_cancelled(sleep(RECORD_AGAIN)).await.is_none() {
            return;
        }
    }
}

/// The ids of the incidents that a notification is about.
fn incidents(it: &Notification) -> Vec<String> {
    let list = it.message["incidents"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|incident| incident["id"].as_str()).map(str::to_owned).collect()
}

/// What the incident is called that a recipient cannot be reached.
pub(super) fn key(whom: &Whom) -> CheckKey {
    let (channel, recipient) = whom;
    let name = if channel == recipient { "delivery" } else { recipient };
    CheckKey { source: patience::DELIVERY.to_owned(), subject: channel.clone(), name: name.to_owned() }
}

fn delivered(whom: &Whom, at: Timestamp) -> Observation {
    observation(whom, Status::Ok, "notifications are delivered again".to_owned(), None, at)
}

fn lost(whom: &Whom, how: &str, why: &str, hint: Option<String>, at: Timestamp) -> Observation {
    let hint = hint.or_else(|| Some(again(whom)));
    observation(whom, Status::Critical, format!("a notification was {how}: {why}"), hint, at)
}

/// As bad as what is not delivered, for it may yet be.
fn late(whom: &Whom, it: &Notification, why: &str, at: Timestamp) -> Observation {
    let status = if it.message["severity"] == "critical" { Status::Critical } else { Status::Warning };
    let waited = crate::units::seconds(at.duration_since(it.queued_at).as_secs_f64());
    observation(whom, status, format!("nothing was delivered for {waited}: {why}"), Some(again(whom)), at)
}

fn again(whom: &Whom) -> String {
    format!("`caretaker alert test {}` tries it at once", whom.0)
}

fn observation(whom: &Whom, status: Status, summary: String, advice: Option<String>, at: Timestamp) -> Observation {
    Observation { advice, ..Observation::new(key(whom), status, summary, at) }
}
