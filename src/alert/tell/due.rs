//! What a channel has not been told yet, and when it should be.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::super::{MessageKind, route};
use super::Telling;
use crate::config::Alerts;
use crate::state::{Incident, Standing, Status, Told};

/// Reminders grow no further apart than this, or than the first pause if that is longer.
const SELDOM: Duration = Duration::from_secs(24 * 3600);

/// Something that a channel is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub kind: MessageKind,
    /// Since when there has been something to tell.
    pub since: Timestamp,
    /// Whether it waits for nothing but its group: recoveries and new CRITICALs.
    pub is_urgent: bool,
    /// Whether it does not even wait for its group: it comes at a time of its own.
    pub is_timed: bool,
}

impl Due {
    fn new(kind: MessageKind, since: Timestamp) -> Self {
        Self { kind, since, is_urgent: false, is_timed: false }
    }

    /// Whether it is time. `last`: when the channel last got a message.
    pub fn is_ready(self, alerts: &Alerts, last: Option<Timestamp>, now: Timestamp) -> bool {
        if self.is_timed {
            return true;
        }
        let passed = |since: Timestamp, pause: Duration| {
            let waited = now.duration_since(since);
            // A moment that lies in the future comes of a clock that was wrong: nobody waits for it.
            waited.is_negative() || waited >= signed(pause)
        };
        passed(self.since, alerts.group_wait)
            && (self.is_urgent || last.is_none_or(|last| passed(last, alerts.group_interval)))
    }
}

impl Telling<'_> {
    /// What a channel should be told of an incident now, if anything.
    pub(super) fn due(&self, channel: &str, standing: &Standing) -> Option<Due> {
        let Standing { incident, told } = standing;
        let told = told.get(channel);
        if let Some(closed_at) = incident.closed_at {
            let is_news = told.is_some_and(|told| told.status != Status::Ok);
            let due = Due { is_urgent: true, ..Due::new(MessageKind::Recovered, closed_at) };
            return is_news.then_some(due);
        }
        if let Some(since) = self.escalates_since(channel, incident)
            && told.is_none_or(|told| !told.escalated)
        {
            return Some(Due { is_timed: true, ..Due::new(MessageKind::Escalation, since) });
        }
        match told {
            None => {
                let is_new = route::channels(self.config, incident).contains(&channel);
                let kind = if incident.flapping_at.is_some() { MessageKind::Flapping } else { MessageKind::Opened };
                let is_urgent = incident.status == Status::Critical;
                is_new.then(|| Due { is_urgent, ..Due::new(kind, incident.changed_at) })
            }
            Some(told) => self.news(incident, told).or_else(|| acknowledged(incident, told)),
        }
    }

    /// What is new about an incident that the channel has heard of.
    fn news(&self, incident: &Incident, told: &Told) -> Option<Due> {
        if let Some(since) = incident.flapping_at {
            if !told.flapping {
                return Some(Due::new(MessageKind::Flapping, since));
            }
        } else if told.flapping || told.status != incident.status {
            let is_urgent = incident.status == Status::Critical && told.status < Status::Critical;
            return Some(Due { is_urgent, ..Due::new(MessageKind::Changed, incident.changed_at) });
        }
        let pause = self.reminder_pause(told.reminders);
        let due_at = told.last_at.checked_add(signed(pause)).unwrap_or(Timestamp::MAX);
        let is_due = incident.acked_at.is_none() && due_at <= self.now;
        is_due.then(|| Due { is_timed: true, ..Due::new(MessageKind::Reminder, due_at) })
    }

    /// How long after the last word the next reminder comes.
    fn reminder_pause(&self, reminders: u32) -> Duration {
        let first = self.config.alerts.remind_after;
        let longest = first.max(SELDOM);
        first.checked_mul(2_u32.saturating_pow(reminders.min(30))).unwrap_or(longest).min(longest)
    }

    /// Since when a channel should be told that nobody is on an incident.
    fn escalates_since(&self, channel: &str, incident: &Incident) -> Option<Timestamp> {
        let after = self.config.alerts.escalate_after?;
        if incident.acked_at.is_some() || !route::escalation(self.config, incident).contains(&channel) {
            return None;
        }
        let since = incident.opened_at.checked_add(signed(after)).ok()?;
        (since <= self.now).then_some(since)
    }
}

/// That somebody is on it. It waits for nothing: others are on their way.
fn acknowledged(incident: &Incident, told: &Told) -> Option<Due> {
    let since = incident.acked_at.filter(|_| !told.acked)?;
    Some(Due { is_timed: true, ..Due::new(MessageKind::Acknowledged, since) })
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
