//! `privacy hold add|list|release`

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::{entry, erase, policy};
use crate::cli::args::HoldCommand;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::utc;
use crate::cli::scene::Scene;
use crate::config::PrivacyPolicy;
use crate::privacy::hold;
use crate::privacy::key::HmacKey;
use crate::run::who;
use crate::state::{Held, Hold, LogKind, State};

pub(super) async fn run(command: &HoldCommand, scene: &Scene<'_>) -> Result<Exit, CliError> {
    match command {
        HoldCommand::Add { policy, subject, table, condition, reason, until } => {
            let held = match (subject, table, condition) {
                (Some(subject), None, None) => Held::Subject(subject.clone()),
                (None, Some(table), Some(condition)) => {
                    Held::Rows { table: table.clone(), condition: condition.clone() }
                }
                _ => {
                    return Err(
                        CliError::usage("what is held?").hint("`--subject ID`, or `--table TABLE --where CONDITION`")
                    );
                }
            };
            add(policy, held, reason, *until, scene).await
        }
        HoldCommand::List { policy, all } => list(policy.as_deref(), *all, scene).await,
        HoldCommand::Release { hold, subject } => release(hold, subject.as_deref(), scene).await,
    }
}

async fn add(
    name: &str,
    held: Held,
    reason: &str,
    until: Option<Timestamp>,
    scene: &Scene<'_>,
) -> Result<Exit, CliError> {
    let policy = policy(Some(name), scene)?;
    let now = Timestamp::now();
    if until.is_some_and(|until| until <= now) {
        return Err(CliError::usage("`--until` lies in the past"));
    }
    let held = hold::canonical(&scene.config, policy, held).await?;
    let state = scene.state().await?;
    let hold = Hold {
        id: Uuid::now_v7().to_string(),
        policy: policy.name.clone(),
        held,
        reason: reason.to_owned(),
        made_by: who(),
        made_at: now,
        until,
        released_at: None,
        released_by: None,
    };
    let detail = json!({"hold": hold.id, "held": logged(policy, &hold.held, scene)?, "reason": reason, "until": until});
    state.add_hold(&hold, &entry(LogKind::HoldAdded, policy, detail)).await?;
    scene.output.line(format!("held: {}", hold.id));
    // It holds already: rows may be going while this is looked for.
    if let Held::Subject(id) = &hold.held {
        match hold::stands(&scene.config, policy, id).await {
            Ok(true) => {}
            Ok(false) => scene.output.note(format!(
                "no row is found about this person by the subject of {}: the hold holds all the same; was the key meant so?",
                policy.name
            )),
            Err(error) => scene.output.note(format!("whether there are rows about this person is not known: {error}")),
        }
    }
    scene.output.json(&hold);
    Ok(Exit::Done)
}

/// What stands in the log for what is held: no identity, its HMAC.
fn logged(policy: &PrivacyPolicy, held: &Held, scene: &Scene<'_>) -> Result<serde_json::Value, CliError> {
    Ok(match held {
        Held::Subject(id) => {
            json!({"subject_hmac": HmacKey::of(policy, &scene.config.daemon.state_dir)?.hash(id)})
        }
        Held::Rows { table, condition } => json!({"table": table, "where": condition}),
    })
}

async fn list(name: Option<&str>, all: bool, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let policy = name.map(|name| policy(Some(name), scene)).transpose()?;
    let now = Timestamp::now();
    let state = scene.state().await?;
    let holds = state.holds(policy.map(|policy| policy.name.as_str()), (!all).then_some(now)).await?;
    let rows = holds.iter().map(|hold| {
        let held = match &hold.held {
            Held::Subject(id) => format!("subject {id}"),
            Held::Rows { table, condition } => format!("{table} where {condition}"),
        };
        let until = match (hold.released_at, hold.until) {
            (Some(at), _) => format!("released {}", utc(at)),
            (None, Some(until)) => utc(until),
            (None, None) => "released".to_owned(),
        };
        vec![hold.id.clone(), hold.policy.clone(), held, until, hold.made_by.clone(), hold.reason.clone()]
    });
    scene.output.table(&["hold", "policy", "held", "until", "by", "reason"], rows.collect());
    if holds.is_empty() {
        scene.output.line("no holds");
    }
    scene.output.json(&holds);
    Ok(Exit::Done)
}

async fn release(what: &str, subject: Option<&str>, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let now = Timestamp::now();
    let active = state.holds(None, Some(now)).await?;
    let wanted: Vec<&Hold> = match subject {
        Some(subject) => {
            let policy = policy(Some(what), scene)?;
            let held = spelled(policy, subject, scene).await;
            let is_theirs = |hold: &&Hold| hold.policy == policy.name && hold.held == held;
            active.iter().filter(is_theirs).collect()
        }
        None => {
            let is_meant = |hold: &&Hold| {
                hold.id == what || (what.len() >= 4 && (hold.id.ends_with(what) || hold.id.starts_with(what)))
            };
            active.iter().filter(is_meant).collect()
        }
    };
    match wanted.as_slice() {
        [] => Err(CliError::usage("there is no such hold").hint("`caretaker privacy hold list` shows them")),
        [_, _, ..] if subject.is_none() => Err(CliError::usage(format!("`{what}` is more than one hold"))),
        holds => {
            for hold in holds {
                one(&state, hold, now, scene).await?;
            }
            let released: Vec<&str> = holds.iter().map(|hold| hold.id.as_str()).collect();
            let policies: BTreeSet<&str> = holds.iter().map(|hold| hold.policy.as_str()).collect();
            let mut erasures = Vec::new();
            let mut went_wrong = None;
            for policy in policies {
                match erase::resume(self::policy(Some(policy), scene)?, &state, scene).await {
                    Ok(resumed) => erasures.extend(resumed),
                    // The hold is released all the same.
                    Err(error) => went_wrong = Some(error),
                }
            }
            scene.output.json(&json!({"released": released, "erasures": erasures}));
            went_wrong.map_or(Ok(Exit::Done), Err)
        }
    }
}

/// The person as holds know them. A hold can be released without the database: by the key as it was typed, then.
async fn spelled(policy: &PrivacyPolicy, subject: &str, scene: &Scene<'_>) -> Held {
    let typed = Held::Subject(subject.to_owned());
    hold::canonical(&scene.config, policy, typed.clone()).await.unwrap_or(typed)
}

async fn one(state: &State, hold: &Hold, now: Timestamp, scene: &Scene<'_>) -> Result<(), CliError> {
    let policy = policy(Some(&hold.policy), scene)?;
    let detail = json!({"hold": hold.id, "held": logged(policy, &hold.held, scene)?});
    state.release_hold(&hold.id, &who(), &entry(LogKind::HoldReleased, policy, detail), now).await?;
    scene.output.line(format!("released: {}", hold.id));
    Ok(())
}
