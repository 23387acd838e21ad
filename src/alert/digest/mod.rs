//! Messages at a time of their own: the digest, and the fire drill.

mod text;

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

async fn digest(state: &State, config: &Config, since: Timestamp, now: Timestamp) -> Result<Message, StateError> {
    let incidents = state.incidents_since(since).await?;
    let open = state.incidents(false).await?;
    let severity = open.iter().map(|incident| incident.status).max().unwrap_or(Status::Ok);
    let mut told = open;
    told.extend(incidents.into_iter().filter(|incident| incident.closed_at.is_some()));
    Ok(Message {
        kind: MessageKind::Digest,
        severity,
        at: now,
        incidents: told.iter().map(super::view).collect(),
        text: text::paragraphs(state, config, since, now).await?,
        ..test_message(config)
    })
}
