//! Messages at a time of their own: the digest, and the fire drill.

mod databases;
mod due;
mod jobs;

use std::time::Duration;

use jiff::Timestamp;

use super::step::Timed;
use super::{Message, MessageKind, test_message};
use crate::config::Config;
use crate::schedule::Schedule;
use crate::state::{State, StateError, Status};

const DIGEST: &str = "digest";
const DRILL: &str = "fire_drill";

/// How long a fire drill may take before it has failed.
const DRILL_WITHIN: Duration = Duration::from_secs(3600);

/// What is due at its own time.
pub(super) async fn timed(state: &State, config: &Config, now: Timestamp) -> Result<Vec<Timed>, StateError> {
    let alerts = &config.alerts;
    let mut timed = Vec::new();
    if let Some(since) = due(state, config, alerts.digest.as_ref(), DIGEST, now, &mut timed).await? {
        let message = digest(state, config, since, now).await?;
        let channels = alerts.digest_to.iter().map(ToString::to_string);
        let channels: Vec<String> = if alerts.digest_to.is_empty() { all(config) } else { channels.collect() };
        timed.push(Timed { mark: DIGEST, letter: Some((message, channels)), expire_after: alerts.expire_after });
    }
    if due(state, config, alerts.fire_drill.as_ref(), DRILL, now, &mut timed).await?.is_some() {
        let text = "This is a fire drill: it shows that alerts arrive. If it does not, that is an incident.".to_owned();
        let message = Message { at: now, text: vec![text], ..test_message(config) };
        timed.push(Timed { mark: DRILL, letter: Some((message, all(config))), expire_after: DRILL_WITHIN });
    }
    Ok(timed)
}

fn all(config: &Config) -> Vec<String> {
    config.channels.keys().map(ToString::to_string).collect()
}

/// Since when the last one is, if another is due. What has never come counts from now on.
async fn due(
    state: &State,
    config: &Config,
    schedule: Option<&Schedule>,
    mark: &'static str,
    now: Timestamp,
    timed: &mut Vec<Timed>,
) -> Result<Option<Timestamp>, StateError> {
    let Some(schedule) = schedule else { return Ok(None) };
    match state.moment(mark).await? {
        Some(last) if last <= now => {
            Ok(schedule.next(&config.alerts.timezone, last).filter(|next| *next <= now).map(|_| last))
        }
        // Never before, or by a clock that was wrong.
        _ => {
            timed.push(Timed { mark, letter: None, expire_after: Duration::ZERO });
            Ok(None)
        }
    }
}

/// More incidents than these are counted only.
const INCIDENTS: usize = 50;

async fn digest(state: &State, config: &Config, since: Timestamp, now: Timestamp) -> Result<Message, StateError> {
    let mut open = state.incidents(false).await?;
    open.sort_by_key(|incident| (std::cmp::Reverse(incident.status), incident.opened_at));
    let severity = open.first().map_or(Status::Ok, |incident| incident.status);
    let mut over = state.incidents_since(since).await?;
    over.retain(|incident| incident.closed_at.is_some());
    over.reverse();
    let day = |at: Timestamp| at.to_zoned(config.alerts.timezone.clone()).strftime("%a %Y-%m-%d %H:%M %Z").to_string();
    let mut text = vec![format!("From {} to {}.", day(since), day(now)), counted(open.len(), over.len())];
    let log = state.log_head().await?;
    if log.seq > 0 {
        text.push(format!("The disposition log stands at line {}, {}.", log.seq, log.hash));
    }
    let left_out = (open.len() + over.len()).saturating_sub(INCIDENTS);
    if left_out > 0 {
        text.push(format!("{left_out} of them are not listed here; `caretaker alert list --all` shows them."));
    }
    let sections = [
        databases::section(state, config, since, now).await?,
        jobs::section(state, config, since, now).await?,
        due::section(state, config, now, &day).await?,
    ];
    Ok(Message {
        kind: MessageKind::Digest,
        severity,
        at: now,
        incidents: open.iter().chain(&over).take(INCIDENTS).map(super::view).collect(),
        text,
        sections: sections.into_iter().filter(|section| !section.rows.is_empty()).collect(),
        ..test_message(config)
    })
}

/// How many incidents there are and were.
fn counted(open: usize, over: usize) -> String {
    let now = match open {
        0 => "Nothing is wrong now".to_owned(),
        1 => "1 incident is open".to_owned(),
        many => format!("{many} incidents are open"),
    };
    match over {
        0 => format!("{now}."),
        1 => format!("{now}; 1 came to its end."),
        many => format!("{now}; {many} came to their end."),
    }
}
