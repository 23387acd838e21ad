//! `privacy replay`: what was erased, erased again from a copy that is there already.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::cli::confirm::confirm;
use crate::cli::exit::{CliError, Exit};
use crate::cli::progress;
use crate::cli::restore::{identities, show_replayed, staging};
use crate::cli::scene::Scene;
use crate::config::StoreName;
use crate::privacy::approval::Hand;
use crate::privacy::replay::prepare;
use crate::restore::{RestoreContext, parse_target, replay_into};
use crate::run::{Progress, who};

pub(super) async fn run(
    database: &str,
    into: &str,
    identity: Option<&Path>,
    yes: bool,
    scene: &Scene<'_>,
) -> Result<Exit, CliError> {
    let (database, state) = (scene.database(database)?, scene.state().await?);
    let target = parse_target(into, &scene.config).map_err(|error| CliError { exit: Exit::Usage, ..error.into() })?;
    let identities = identities(identity)?;
    let stores: Vec<StoreName> = scene.config.stores.keys().cloned().collect();
    let replay = prepare(&scene.config, &state, database.as_str(), &stores, &identities).await?;
    for warning in &replay.warnings {
        scene.output.line(format!("{} {warning}", scene.output.warn("warning:")));
    }
    confirm(&format!("apply {} erasures of {database} to {target}", replay.count()), yes)?;
    let who = who();
    replay.adopt(&scene.config, &state, &Hand { who: &who, is_person: true, run_id: None }).await?;
    let staging = staging(&state)?;
    let context = RestoreContext {
        config: &scene.config,
        state: &state,
        identities,
        staging: staging.path(),
        progress: Arc::new(Progress::default()),
        cancel: CancellationToken::new(),
    };
    let signals = progress::cancel_on_signal(context.cancel.clone());
    let replayed = replay_into(&target, &replay, &context).await;
    signals.abort();
    let replayed = replayed?;
    show_replayed(&replayed, scene);
    if replay.count() == 0 {
        scene.output.line("nobody was erased");
    }
    scene.output.json(&json!({"into": target.to_string(), "replayed": replayed}));
    Ok(Exit::Done)
}
