//! What people are told now: a pure function of the incidents, of what each channel was told of them, and of the clock.
//!
//! It compares what is with what was said, and says the difference. So it does not matter when it is asked, how often, or
//! what was cut off before: what was said stands in the same transaction as the notification. What came and went before
//! anybody was told is not told, and what is told was so when it was said.

mod due;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::patience::is_behind_connection;
use super::{IncidentView, Message, MessageKind, route};
use crate::config::Config;
use crate::state::{Incident, Silence, Standing, Status, Told};
use due::Due;

/// More incidents than these are told in several messages.
const AT_MOST: usize = 50;

/// What it goes by.
#[derive(Clone, Copy)]
pub(super) struct Telling<'a> {
    pub config: &'a Config,
    /// Open, or over without everybody having been told.
    pub standings: &'a [Standing],
    /// Those that hold now.
    pub silences: &'a [Silence],
    /// When each channel last got a message.
    pub marks: &'a BTreeMap<String, Timestamp>,
    /// This machine.
    pub host: &'a str,
    pub now: Timestamp,
}

/// What is told.
#[derive(Debug, Default)]
pub(super) struct Telegrams {
    /// By channel, in this order.
    pub messages: Vec<(String, Message)>,
    /// What each channel has been told then, by incident.
    pub told: Vec<(String, String, Told)>,
}

/// The mark of a channel's last message.
pub(super) fn mark(channel: &str) -> String {
    format!("channel:{channel}")
}

/// The kinds of message, in the order in which they are sent: what is over first.
const ORDER: [MessageKind; 7] = [
    MessageKind::Recovered,
    MessageKind::Acknowledged,
    MessageKind::Opened,
    MessageKind::Changed,
    MessageKind::Flapping,
    MessageKind::Escalation,
    MessageKind::Reminder,
];

impl Telling<'_> {
    /// Decides.
    pub fn decide(&self) -> Telegrams {
        let mut telegrams = Telegrams::default();
        let cut_off: BTreeSet<&str> = self
            .standings
            .iter()
            .map(|standing| &standing.incident)
            .filter(|it| it.closed_at.is_none() && it.key.name == "connectivity" && it.status == Status::Critical)
            .map(|incident| incident.key.subject.as_str())
            .collect();
        for channel in self.config.channels.keys().map(|name| name.as_str()) {
            self.decide_for(channel, &cut_off, &mut telegrams);
        }
        self.forget_the_gone(&mut telegrams);
        telegrams
    }

    fn decide_for(&self, channel: &str, cut_off: &BTreeSet<&str>, telegrams: &mut Telegrams) {
        let last = self.marks.get(&mark(channel)).copied();
        let mut due: Vec<(&Standing, Due)> = Vec::new();
        for standing in self.standings {
            if let Some(found) = self.due(channel, standing)
                && !self.is_held_back(standing, found, cut_off)
            {
                due.push((standing, found));
            }
        }
        // As soon as one of them must be told, the others go with it.
        if !due.iter().any(|(_, due)| due.is_ready(&self.config.alerts, last, self.now)) {
            return;
        }
        for kind in ORDER {
            let mut of_kind: Vec<&Standing> =
                due.iter().filter(|(_, due)| due.kind == kind).map(|(standing, _)| *standing).collect();
            of_kind.sort_by_key(|standing| std::cmp::Reverse(standing.incident.status));
            for some in of_kind.chunks(AT_MOST) {
                telegrams.messages.push((channel.to_owned(), self.message(kind, some)));
                for standing in some {
                    let told = self.told(kind, standing.told.get(channel), &standing.incident);
                    telegrams.told.push((standing.incident.id.clone(), channel.to_owned(), told));
                }
            }
        }
    }

    /// Whether something must not be told now.
    fn is_held_back(&self, standing: &Standing, due: Due, cut_off: &BTreeSet<&str>) -> bool {
        let incident = &standing.incident;
        let alerts = &self.config.alerts;
        let night = alerts.quiet_hours.is_some_and(|hours| hours.hold(&alerts.timezone, self.now));
        let severity = if due.kind == MessageKind::Recovered { incident.worst } else { incident.status };
        if night && severity < Status::Critical {
            return true;
        }
        // Whoever was told of it is told that it is over.
        if due.kind == MessageKind::Recovered {
            return false;
        }
        let is_mute = is_behind_connection(&incident.key) && cut_off.contains(incident.key.subject.as_str());
        is_mute || self.silences.iter().any(|silence| route::is_silenced(self.config, silence, incident))
    }

    fn message(&self, kind: MessageKind, standings: &[&Standing]) -> Message {
        let worst = |standing: &&Standing| match kind {
            MessageKind::Recovered => standing.incident.worst,
            _ => standing.incident.status,
        };
        Message {
            id: Uuid::now_v7().to_string(),
            kind,
            severity: standings.iter().map(worst).max().unwrap_or(Status::Unknown),
            at: self.now,
            host: self.host.to_owned(),
            environment: self.config.daemon.environment.as_str().to_owned(),
            timezone: self.config.alerts.timezone.iana_name().map(str::to_owned),
            incidents: standings.iter().map(|standing| view(&standing.incident)).collect(),
            text: Vec::new(),
            sections: Vec::new(),
        }
    }

    fn told(&self, kind: MessageKind, before: Option<&Told>, incident: &Incident) -> Told {
        let is_over = kind == MessageKind::Recovered;
        Told {
            status: if is_over { Status::Ok } else { incident.status },
            flapping: incident.flapping_at.is_some(),
            acked: incident.acked_at.is_some(),
            escalated: kind == MessageKind::Escalation || before.is_some_and(|told| told.escalated),
            first_at: before.map_or(self.now, |told| told.first_at),
            last_at: self.now,
            reminders: match kind {
                MessageKind::Reminder => before.map_or(0, |told| told.reminders).saturating_add(1),
                MessageKind::Recovered => before.map_or(0, |told| told.reminders),
                // What is new is reminded of as if it had just begun.
                _ => 0,
            },
        }
    }

    /// A channel that is not configured any more cannot be told that something is over.
    fn forget_the_gone(&self, telegrams: &mut Telegrams) {
        for Standing { incident, told } in self.standings.iter().filter(|it| it.incident.closed_at.is_some()) {
            for (channel, told) in told {
                let is_known = self.config.channels.keys().any(|name| name.as_str() == channel);
                if !is_known && told.status != Status::Ok {
                    let told = Told { status: Status::Ok, ..told.clone() };
                    telegrams.told.push((incident.id.clone(), channel.clone(), told));
                }
            }
        }
    }
}

/// An incident as people are told of it.
pub fn view(incident: &Incident) -> IncidentView {
    let Incident { last, at_worst, .. } = incident;
    IncidentView {
        id: incident.id.clone(),
        key: incident.key.clone(),
        status: if incident.closed_at.is_some() { Status::Ok } else { incident.status },
        worst: incident.worst,
        opened_at: incident.since,
        closed_at: incident.closed_at,
        acknowledged_by: incident.acked_by.clone(),
        summary: last.summary.clone(),
        value: last.value.clone(),
        worst_value: at_worst.value.clone(),
        threshold: last.threshold.clone(),
        advice: last.advice.clone(),
        evidence: last.evidence.clone(),
    }
}
