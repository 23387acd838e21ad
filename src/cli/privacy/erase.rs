//! `privacy erase`: shows where a person stands, asks, and erases them.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::policy;
use crate::cli::confirm::confirm;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::utc;
use crate::cli::scene::Scene;
use crate::config::PrivacyPolicy;
use crate::database::Servers;
use crate::privacy::approval::{self, Hand};
use crate::privacy::erase::{Erasing, Person, Sight, certificate_text, deferred};
use crate::privacy::ground::Purpose;
use crate::privacy::replay::escrow;
use crate::privacy::session::Session;
use crate::run::{Failure, Lease, LeaseError, Refusal, who};
use crate::state::{Erasure, ErasureState, LogKind, State};

/// What the person at the terminal has said beforehand.
pub(super) struct Consent {
    pub(super) dry_run: bool,
    pub(super) yes: bool,
}

pub(super) async fn run(
    name: &str,
    subject: &str,
    reason: Option<&str>,
    consent: Consent,
    scene: &Scene<'_>,
) -> Result<Exit, CliError> {
    let policy = policy(Some(name), scene)?;
    let state = scene.state().await?;
    let who = who();
    let hand = Hand { who: &who, is_person: true, run_id: None };
    let erasing = Erasing { config: &scene.config, policy, state: &state, hand: &hand };
    let _lease = (!consent.dry_run).then(|| lease(policy, &state)).transpose()?;
    let purpose = if consent.dry_run { Purpose::Look } else { Purpose::Work };
    let mut session = Session::open(&scene.config, &Arc::new(Servers::new(&scene.config)), policy, purpose).await?;
    let setting = session.seen.setting(policy, session.ground.as_ref());
    let person = Person::find(session.ground.as_mut(), &setting, subject).await?;
    let sight = match erasing.look(&mut session, &person).await {
        Ok(sight) => sight,
        Err(failure) => {
            if failure.refused == Some(Refusal::Safety) && !consent.dry_run {
                let detail = json!({"subject_hmac": person.hmac, "why": failure.message});
                state.log(&hand.entry(policy, LogKind::Refused, detail), Timestamp::now()).await?;
            }
            return Err(failure.into());
        }
    };
    show(&sight, scene);
    let earlier = state.erasures(Some(&policy.name)).await?;
    let of_person = |erasure: &&Erasure| erasure.subject_hmac == person.hmac;
    let is_open = earlier.iter().filter(of_person).any(|erasure| erasure.state != ErasureState::Completed);
    if consent.dry_run {
        scene.output.json(&sight);
        return Ok(if sight.held_by.is_empty() { Exit::Done } else { Exit::Refused });
    }
    if let Some(last) = earlier.iter().rfind(of_person).filter(|_| !is_open && sight.rows() == 0) {
        let at = last.completed.map(utc).unwrap_or_default();
        scene.output.line(format!("nothing is found: erased {at}, see {}", last.id));
        scene.output.json(last);
        return Ok(Exit::Done);
    }
    let question = format!("erase this person from {} ({} rows)", policy.database, sight.rows());
    confirm(&question, consent.yes)?;
    approval::check(policy, &state, &hand).await?;
    for missed in escrow::keep(&scene.config, &state, policy, &session.seen.key).await {
        scene.output.note(format!("the HMAC key is not escrowed in {} yet: {}", missed.store, missed.error));
    }
    let key = session.seen.key.id();
    if let Some(other) = earlier.iter().find(|erasure| erasure.key_id != key) {
        scene.output.note(format!(
            "the ledger has erasures that another HMAC key ({}) has made: without it nobody can apply them again to a \
             restored backup",
            other.key_id
        ));
    }
    let erasure = erasing.erase(&mut session, &person, reason).await?;
    told(&erasure, scene);
    scene.output.json(&erasure);
    match erasure.state {
        ErasureState::Completed => Ok(Exit::Done),
        _ => Err(deferred(&erasure).into()),
    }
}

/// Goes on with the erasures that a hold kept, as far as nothing keeps them any more.
pub(super) async fn resume(policy: &PrivacyPolicy, state: &State, scene: &Scene<'_>) -> Result<Vec<Erasure>, CliError> {
    let is_open = |erasure: &Erasure| erasure.state == ErasureState::Deferred;
    if !state.erasures(Some(&policy.name)).await?.iter().any(is_open) {
        return Ok(Vec::new());
    }
    let later = |failure: Failure| {
        let hint =
            format!("the hold is released; the erasures that it kept go on with `privacy apply {}`", policy.name);
        Failure { hint: Some(failure.hint.clone().unwrap_or(hint)), ..failure }
    };
    let who = who();
    let hand = Hand { who: &who, is_person: true, run_id: None };
    let _lease = lease(policy, state).map_err(later)?;
    approval::check(policy, state, &hand).await.map_err(later)?;
    let servers = Arc::new(Servers::new(&scene.config));
    let mut session = Session::open(&scene.config, &servers, policy, Purpose::Work).await.map_err(later)?;
    let erasing = Erasing { config: &scene.config, policy, state, hand: &hand };
    let (resumed, missing) = erasing.resume(&mut session).await.map_err(later)?;
    for erasure in &resumed {
        told(erasure, scene);
    }
    if missing > 0 {
        scene.output.note(format!(
            "{missing} open erasures are of people who stand in no declared column any more: \
             `caretaker privacy erase {} --subject ID` completes them",
            policy.name
        ));
    }
    Ok(resumed)
}

/// Keeps the policy's other work away meanwhile.
pub(super) fn lease(policy: &PrivacyPolicy, state: &State) -> Result<Lease, Failure> {
    let name = format!("privacy.{}", policy.name);
    Lease::acquire(state.dir(), &name, Timestamp::now()).map_err(|error| {
        let is_busy = matches!(error, LeaseError::Busy { .. });
        Failure { refused: is_busy.then_some(Refusal::Busy), ..Failure::from(error) }
    })
}

fn show(sight: &Sight, scene: &Scene<'_>) {
    let rows = sight
        .references
        .iter()
        .map(|found| vec![found.table.clone(), found.by.clone(), found.action.clone(), found.rows.to_string()]);
    scene.output.table(&["table", "by", "action", "rows"], rows.collect());
    for hold in &sight.held_by {
        scene.output.line(format!("held by {hold}"));
    }
    for warning in &sight.warnings {
        scene.output.line(format!("warning: {warning}"));
    }
}

fn told(erasure: &Erasure, scene: &Scene<'_>) {
    match &erasure.certificate {
        Some(certificate) => scene.output.line(certificate_text(certificate)),
        None => scene.output.line(format!(
            "{} {}: {}",
            erasure.id,
            erasure.state.as_str(),
            erasure.note.as_deref().unwrap_or_default()
        )),
    }
}
