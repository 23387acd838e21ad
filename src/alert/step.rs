//! One step: what was observed becomes incidents, and incidents become notifications, all of it in one transaction.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::engine::{self, Track};
use super::patience::{self, patience};
use super::tell::{Telling, mark};
use super::{Message, test};
use crate::config::Config;
use crate::state::{
    Advanced, CheckKey, Desk, Incident, NewNotification, Observation, Standing, State, StateError, Status, Step,
};

/// No notification is tried for longer; the calendar has an end.
const LONGEST: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// The recipients of each channel.
pub type Recipients = BTreeMap<String, Vec<String>>;

/// A message of its own time that goes out with a step: a digest, a fire drill.
#[derive(Debug, Clone)]
pub(super) struct Timed {
    /// The mark that is moved to now with it.
    pub mark: &'static str,
    /// What is said, and to which channels.
    pub letter: Option<(Message, Vec<String>)>,
    /// How long it is tried.
    pub expire_after: std::time::Duration,
}

/// Takes the engine one step further.
pub(super) async fn step(
    state: &State,
    config: &Config,
    recipients: &Recipients,
    timed: &[Timed],
    now: Timestamp,
) -> Result<Advanced, StateError> {
    let host = test::host();
    state.advance_alerts(now, |desk| plan(desk, config, recipients, timed, &host, now)).await
}

/// What follows from what lies on the desk.
pub(super) fn plan(
    desk: &Desk,
    config: &Config,
    recipients: &Recipients,
    timed: &[Timed],
    host: &str,
    now: Timestamp,
) -> Step {
    let mut step = Step::default();
    let mut standings = desk.standings.clone();
    let before = standings.clone();
    step.tracks = advance(desk, config, &mut standings, now);
    for standing in &mut standings {
        retire(config, &mut standing.incident, now);
    }
    let telling = Telling { config, standings: &standings, silences: &desk.silences, marks: &desk.marks, host, now };
    let telegrams = telling.decide();
    step.told = telegrams.told;
    step.incidents = standings
        .into_iter()
        .map(|standing| standing.incident)
        .filter(|incident| !before.iter().any(|old| old.incident == *incident))
        .collect();
    for (channel, message) in &telegrams.messages {
        queue(&mut step, channel, message, recipients, now, config.alerts.expire_after);
        step.marks.retain(|(name, _)| *name != mark(channel));
        step.marks.push((mark(channel), now));
    }
    for Timed { mark, letter, expire_after } in timed {
        step.marks.push(((*mark).to_owned(), now));
        if let Some((message, channels)) = letter {
            for channel in channels {
                queue(&mut step, channel, message, recipients, now, *expire_after);
            }
        }
    }
    step
}

/// Takes the observations in their order.
fn advance(desk: &Desk, config: &Config, standings: &mut Vec<Standing>, now: Timestamp) -> Vec<(CheckKey, String)> {
    let mut tracks: BTreeMap<CheckKey, Track> = BTreeMap::new();
    for seen in &desk.observations {
        let key = &seen.key;
        let door = CheckKey { name: "connectivity".to_owned(), ..key.clone() };
        let is_cut_off = tracks.get(&door).map_or_else(|| read(desk, &door), Clone::clone).is_critical();
        let track = tracks.entry(key.clone()).or_insert_with(|| read(desk, key));
        let at = standings.iter().position(|it| it.incident.key == *key && it.incident.closed_at.is_none());
        let mut incident = at.map(|at| standings[at].incident.clone());
        // What was observed a while ago, by a command that ran without the daemon, was so then.
        track.observe(&mut incident, seen, patience(config, seen, is_cut_off), seen.at.min(now));
        match (at, incident) {
            (Some(at), Some(incident)) => standings[at].incident = incident,
            (None, Some(incident)) => standings.push(Standing { incident, told: BTreeMap::new() }),
            (_, None) => {}
        }
    }
    let text = |track: &Track| serde_json::to_string(track).unwrap_or_default();
    tracks.iter().map(|(key, track)| (key.clone(), text(track))).collect()
}

fn read(desk: &Desk, key: &CheckKey) -> Track {
    let Some(text) = desk.tracks.get(key) else { return Track::default() };
    serde_json::from_str(text).unwrap_or_else(|error| {
        tracing::error!(check = %key, %error, "what was kept of a check cannot be read; it begins anew");
        Track::default()
    })
}

/// Ends an incident of something that nobody looks at any more: it would stay open for ever.
fn retire(config: &Config, incident: &mut Incident, now: Timestamp) {
    if incident.closed_at.is_some() || patience::is_configured(config, &incident.key) {
        return;
    }
    let summary = "no longer in the configuration".to_owned();
    let last = Observation { status: Status::NotApplicable, at: now, summary, ..incident.last.clone() };
    engine::close(incident, &last, now);
}

/// Puts a message into the queue of each recipient of a channel.
fn queue(
    step: &mut Step,
    channel: &str,
    message: &Message,
    recipients: &Recipients,
    now: Timestamp,
    expire_after: std::time::Duration,
) {
    let text = serde_json::to_string(message).unwrap_or_default();
    let lasts = SignedDuration::try_from(expire_after).unwrap_or(LONGEST).min(LONGEST);
    for recipient in recipients.get(channel).into_iter().flatten() {
        step.notifications.push(NewNotification {
            message_id: message.id.clone(),
            channel: channel.to_owned(),
            recipient: recipient.clone(),
            message: text.clone(),
            expires_at: now.checked_add(lasts).unwrap_or(Timestamp::MAX),
        });
    }
}
