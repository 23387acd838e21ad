//! `alert silence|silences|unsilence`

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::super::exit::{CliError, Exit};
use super::super::output::{duration, utc};
use super::super::scene::{Scene, unknown};
use super::short;
use crate::config::CheckName;
use crate::state::Silence;

pub(super) async fn begin(
    target: &str,
    lasts: SignedDuration,
    reason: &str,
    scene: &Scene<'_>,
) -> Result<Exit, CliError> {
    let target = known(target, scene)?;
    let made_at = Timestamp::now();
    let until = made_at.checked_add(lasts).map_err(|_| CliError::usage("that is longer than the calendar"))?;
    let (id, reason) = (Uuid::now_v7().to_string(), reason.to_owned());
    let silence = Silence { id, target, reason, made_by: crate::run::who(), made_at, until };
    scene.state().await?.silence(&silence).await?;
    scene.output.line(format!(
        "{} is silent for {}, until {}; `caretaker alert unsilence {}` ends it",
        silence.target,
        duration(lasts),
        utc(until),
        silence.target
    ));
    scene.output.json(&silence);
    Ok(Exit::Done)
}

pub(super) async fn list(scene: &Scene<'_>) -> Result<Exit, CliError> {
    let now = Timestamp::now();
    let silences = scene.state().await?.silences(now).await?;
    if silences.is_empty() {
        scene.output.line("nothing is silenced");
    } else {
        let row = |it: &Silence| {
            let left = duration(it.until.duration_since(now));
            vec![short(&it.id).to_owned(), it.target.clone(), left, it.made_by.clone(), it.reason.clone()]
        };
        scene.output.table(&["id", "target", "for another", "by", "reason"], silences.iter().map(row).collect());
    }
    scene.output.json(&silences);
    Ok(Exit::Done)
}

pub(super) async fn end(what: &str, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let ended = scene.state().await?.unsilence(what, Timestamp::now()).await?;
    if ended.is_empty() {
        return Err(CliError::usage(format!("there is no silence `{what}`"))
            .hint("`caretaker alert silences` shows those that hold"));
    }
    for silence in &ended {
        scene.output.line(format!("{} is silent no longer", silence.target));
    }
    scene.output.json(&ended);
    Ok(Exit::Done)
}

/// The name of something that can be silenced, in full.
fn known(target: &str, scene: &Scene<'_>) -> Result<String, CliError> {
    let config = &scene.config;
    let checks = || CheckName::ALL.iter().map(|check| check.as_str());
    let databases = || config.databases.keys().map(|name| name.as_str());
    if let Some((database, check)) = target.split_once('/') {
        scene.database(database)?;
        return match checks().chain(["run"]).any(|name| name == check) {
            true => Ok(target.to_owned()),
            false => Err(unknown("check", check, checks())),
        };
    }
    let jobs = scene.jobs();
    let channels = config.channels.keys().map(|name| name.as_str());
    if checks().chain(databases()).chain(channels).any(|name| name == target) {
        return Ok(target.to_owned());
    }
    let short = |name: &str| name.split_once('.').map(|(_, short)| short.to_owned());
    if let Some(job) = jobs.iter().find(|job| job.name == target || short(&job.name).as_deref() == Some(target)) {
        return Ok(job.name.clone());
    }
    let all: Vec<&str> = checks().chain(databases()).chain(jobs.iter().map(|job| job.name.as_str())).collect();
    let error = CliError::usage(format!("`{target}` is no check, no job and no database"));
    Err(match crate::config::suggest(target, all) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`caretaker job list` shows the jobs, docs/alerts.md the rest"),
    })
}
