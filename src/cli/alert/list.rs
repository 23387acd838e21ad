//! `alert list`, and its part of `status`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::exit::{CliError, Exit};
use super::super::output::{Output, age, duration};
use super::super::scene::Scene;
use super::short;
use crate::alert::is_silenced;
use crate::config::Config;
use crate::state::{Incident, Notification, NotificationState, OutboxCount, Silence, State, StateError, Status};

/// How many notifications are shown.
const AT_MOST: u32 = 100;

pub(super) async fn run(all: bool, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let now = Timestamp::now();
    let (incidents, outbox) =
        (incidents(&state, &scene.config, all, scene.output, now).await?, outbox(&state, scene.output, now).await?);
    let mut listed = json!({"incidents": incidents, "outbox": outbox});
    if all {
        let notifications = state.outbox(true, AT_MOST).await?;
        let rows = notifications.iter().map(|it| row(it, scene.output, now)).collect();
        scene.output.line("");
        scene.output.table(&["notification", "to", "about", "state", "queued", "tried", "answer"], rows);
        listed["notifications"] = json!(notifications);
    }
    scene.output.json(&listed);
    Ok(Exit::Done)
}

/// Shows the incidents; gives them for programs.
pub(in crate::cli) async fn incidents(
    state: &State,
    config: &Config,
    all: bool,
    output: &Output,
    now: Timestamp,
) -> Result<Vec<Value>, StateError> {
    let silences = state.silences(now).await?;
    let incidents = state.incidents(all).await?;
    if incidents.is_empty() {
        output.line(format!("{}: no incidents", output.good("all is well")));
        return Ok(Vec::new());
    }
    let (mut rows, mut values) = (Vec::new(), Vec::new());
    for incident in &incidents {
        let silenced = silences.iter().find(|silence| is_silenced(config, silence, incident));
        rows.push(vec![
            short(&incident.id).to_owned(),
            status(incident, output),
            incident.key.to_string(),
            lasted(incident, now),
            remark(incident, silenced),
            shortened(&incident.last.summary),
        ]);
        let mut value = json!(incident);
        value["silenced"] = json!(silenced.map(|silence| &silence.id));
        values.push(value);
    }
    output.table(&["incident", "status", "what", "since", "", "last said"], rows);
    Ok(values)
}

/// Shows what waits in the outbox, if anything does; gives it for programs.
pub(in crate::cli) async fn outbox(
    state: &State,
    output: &Output,
    now: Timestamp,
) -> Result<Vec<OutboxCount>, StateError> {
    let waiting = state.outbox_waiting().await?;
    for OutboxCount { channel, recipient, waiting, oldest, answer } in &waiting {
        let why = answer.as_ref().map_or(String::new(), |answer| format!(": {}", shortened(answer)));
        let whom = if channel == recipient { channel.clone() } else { format!("{channel} {recipient}") };
        let text = format!("{waiting} to tell {whom}, the oldest for {}{why}", age(*oldest, now));
        output.line(if answer.is_some() { output.warn(&text) } else { text });
    }
    Ok(waiting)
}

fn status(incident: &Incident, output: &Output) -> String {
    match incident.status {
        _ if incident.closed_at.is_some() => output.good("over"),
        Status::Critical => output.bad("CRITICAL"),
        Status::Warning => output.warn("WARNING"),
        Status::Unknown | Status::Ok | Status::NotApplicable => output.warn("UNKNOWN"),
    }
}

fn lasted(incident: &Incident, now: Timestamp) -> String {
    match incident.closed_at {
        None => format!("{} ago", age(incident.since, now)),
        Some(at) => format!("lasted {}, {} ago", duration(at.duration_since(incident.since)), age(at, now)),
    }
}

fn remark(incident: &Incident, silenced: Option<&Silence>) -> String {
    let mut words = Vec::new();
    if incident.flapping_at.is_some() {
        words.push("flapping".to_owned());
    }
    if let Some(by) = &incident.acked_by {
        words.push(format!("acknowledged by {by}"));
    }
    if let Some(silence) = silenced {
        words.push(format!("silenced: {}", silence.reason));
    }
    words.join(", ")
}

fn row(it: &Notification, output: &Output, now: Timestamp) -> Vec<String> {
    let incidents = it.message["incidents"].as_array().map(Vec::as_slice).unwrap_or_default();
    let about = match incidents {
        [] => String::new(),
        [one] => format!("{} {}", one["subject"].as_str().unwrap_or(""), one["name"].as_str().unwrap_or("")),
        many => format!("{} incidents", many.len()),
    };
    let state = match it.state {
        NotificationState::Delivered => output.good("delivered"),
        NotificationState::Waiting => output.warn("waiting"),
        NotificationState::Refused | NotificationState::Expired => output.bad(it.state.as_str()),
    };
    vec![
        it.message["kind"].as_str().unwrap_or("").to_owned(),
        if it.channel == it.recipient { it.channel.clone() } else { format!("{} {}", it.channel, it.recipient) },
        about,
        state,
        format!("{} ago", age(it.queued_at, now)),
        it.attempts.to_string(),
        shortened(it.answer.as_deref().unwrap_or("")),
    ]
}

/// One line that fits.
fn shortened(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(80).collect()
}
