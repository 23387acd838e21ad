//! `privacy erasures`: the ledger.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::policy;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::utc;
use crate::cli::scene::Scene;
use crate::config::PrivacyPolicy;
use crate::database::Servers;
use crate::privacy::erase::{certificate_text, due};
use crate::privacy::queue;
use crate::state::{Erasure, ErasureState};

pub(super) async fn run(name: Option<&str>, wanted: Option<&str>, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let policy = name.map(|name| policy(Some(name), scene)).transpose()?;
    let mut erasures = scene.state().await?.erasures(policy.map(|policy| policy.name.as_str())).await?;
    if let Some(wanted) = wanted {
        erasures.retain(|one| {
            one.id == wanted || wanted.len() >= 4 && (one.id.starts_with(wanted) || one.id.ends_with(wanted))
        });
        let [one] = erasures.as_slice() else {
            return Err(CliError::usage(format!("there is no erasure `{wanted}`, or more than one"))
                .hint("`caretaker privacy erasures` shows them"));
        };
        match &one.certificate {
            Some(certificate) => scene.output.line(certificate_text(certificate)),
            None => scene.output.line(format!("{}: no certificate, it is {}", one.id, one.state.as_str())),
        }
        scene.output.json(one);
        return Ok(Exit::Done);
    }
    let now = Timestamp::now();
    let mut queued = queued(policy, scene).await;
    // Those that were cut off stand in both.
    queued.retain(|one| {
        let is_theirs = |it: &Erasure| it.policy == one.policy && Some(&it.subject_hmac) == one.subject_hmac.as_ref();
        !erasures.iter().any(|it| it.state != ErasureState::Completed && is_theirs(it))
    });
    let shown = |state: &str, is_overdue: bool| match is_overdue {
        true => scene.output.bad(&format!("{state}, overdue")),
        false => state.to_owned(),
    };
    let rows = erasures.iter().map(|one| {
        let state = shown(one.state.as_str(), one.is_overdue(now));
        let end = one.completed.map_or_else(|| one.note.clone().unwrap_or_default(), utc);
        vec![one.id.clone(), one.policy.clone(), state, utc(one.received), utc(one.due), end]
    });
    let waiting = queued.iter().map(|one| {
        vec![
            "-".to_owned(),
            one.policy.clone(),
            shown("queued", one.due < now),
            utc(one.received),
            utc(one.due),
            String::new(),
        ]
    });
    let rows: Vec<Vec<String>> = rows.chain(waiting).collect();
    if rows.is_empty() {
        scene.output.line("no erasures");
    }
    scene.output.table(&["erasure", "policy", "state", "received", "due", "completed"], rows);
    let mut all: Vec<serde_json::Value> = erasures.iter().map(|one| json!(one)).collect();
    all.extend(queued.iter().map(|one| json!(one)));
    scene.output.json(&all);
    Ok(Exit::Done)
}

/// A request that the ledger does not have yet, in the form of its entries.
#[derive(Serialize)]
struct Waiting {
    id: Option<String>,
    policy: String,
    database: String,
    subject_hmac: Option<String>,
    reason: Option<String>,
    received: Timestamp,
    due: Timestamp,
    state: &'static str,
}

/// What waits in the queues. One that cannot be looked at keeps nobody from the ledger.
async fn queued(policy: Option<&PrivacyPolicy>, scene: &Scene<'_>) -> Vec<Waiting> {
    let servers = Arc::new(Servers::new(&scene.config));
    let policies = scene.config.privacy.values().filter(|one| policy.is_none_or(|wanted| wanted.name == one.name));
    let mut waiting = Vec::new();
    for policy in policies {
        let (Some(_), Some(subject)) = (queue::of(policy), &policy.subject) else { continue };
        let found = match queue::queued(&scene.config, &servers, policy).await {
            Ok(found) => found,
            Err(failure) => {
                scene.output.note(format!("what waits in the queue of {} is not known: {failure}", policy.name));
                continue;
            }
        };
        waiting.extend(found.into_iter().map(|one| Waiting {
            id: None,
            policy: policy.name.clone(),
            database: policy.database.to_string(),
            subject_hmac: one.subject_hmac,
            reason: one.reason,
            received: one.received,
            due: due(subject, policy, one.received).unwrap_or(one.received),
            state: "queued",
        }));
    }
    waiting
}
