//! `restore`

mod journal;
mod show;
mod staging;

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use journal::Journal;
pub(super) use show::replayed as show_replayed;
pub(super) use staging::staging;

use super::args::RestoreArgs;
use super::confirm::confirm;
use super::exit::{CliError, Exit};
use super::progress;
use super::scene::Scene;
use crate::archive::codec::Identities;
use crate::backup::copies_to_read;
use crate::privacy::replay::{self, Replay};
use crate::restore::{
    BackupSource, CopyReport, RestoreContext, RestorePlan, Restored, Target, Trouble, parse_target, plan, record,
    restore,
};
use crate::run::{Failure, Progress, who};
use crate::state::{Backup, BackupFilter, LogKind, State};

pub(super) async fn run(arguments: &RestoreArgs, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let done = work(arguments, scene, &state).await;
    if !arguments.dry_run {
        scene.anchor(&state).await;
    }
    done
}

async fn work(arguments: &RestoreArgs, scene: &Scene<'_>, state: &State) -> Result<Exit, CliError> {
    let database = scene.database(&arguments.database)?;
    let backup = find(&arguments.id, Some(database.as_str()), scene, state).await?;
    if backup.database != database.as_str() {
        return Err(CliError::usage(format!("{} is a backup of {}, not of {database}", backup.id, backup.database)));
    }
    let target =
        parse_target(&arguments.into, &scene.config).map_err(|error| CliError { exit: Exit::Usage, ..error.into() })?;
    let staging = staging(state)?;
    let identities = identities(arguments.identity.as_deref())?;
    let stores = copies_to_read(&backup, &scene.config);
    let replay = match arguments.without_replay {
        true => Replay::default(),
        false => replay::prepare(&scene.config, state, database.as_str(), &stores, &identities).await?,
    };
    let journal = Journal { backup: &backup, state, who: who() };
    // One copy after the other until one is good. Of what failed, that a copy is bad counts most.
    let (mut failed, mut confirmed): (Option<Trouble>, _) = (None, false);
    for store in stores {
        let context = RestoreContext {
            config: &scene.config,
            state,
            identities: identities.clone(),
            staging: staging.path(),
            progress: Arc::new(Progress::default()),
            cancel: CancellationToken::new(),
        };
        let trouble = match BackupSource::open(&backup, &store, &scene.config).await {
            Err(trouble) => trouble,
            Ok(source) => {
                let planned = plan(&source, &target, &context).await?;
                if failed.is_some() && !planned.occupied.is_empty() {
                    // What the failed attempt could not take back.
                    break;
                }
                if !show::plan(&planned, &replay, arguments.dry_run, scene)? {
                    return Ok(Exit::Done);
                }
                if !confirmed {
                    let question = format!("restore {} into {}", planned.backup, planned.target);
                    confirm(&question, arguments.yes || planned.creates)?;
                    if arguments.without_replay {
                        journal.write(LogKind::ReplaySkipped, &planned, json!({})).await?;
                    }
                    replay.adopt(&scene.config, state, &journal.hand()).await?;
                    confirmed = true;
                }
                journal.write(LogKind::RestoreStarted, &planned, json!({})).await?;
                match watched(&source, &target, &planned, &replay, &context, scene).await {
                    Ok(restored) => {
                        let detail = json!({"same": restored.comparison.same, "replayed": restored.replayed});
                        journal.write(LogKind::BackupRestored, &planned, detail).await?;
                        return Ok(show::restored(&planned, &restored, scene));
                    }
                    Err(trouble) => {
                        let detail = json!({"error": trouble.clone().failure().message});
                        journal.write(LogKind::RestoreFailed, &planned, detail).await?;
                        if context.cancel.is_cancelled() {
                            return Err(CliError { exit: Exit::Interrupted, ..trouble.failure().into() });
                        }
                        trouble
                    }
                }
            }
        };
        let is_bad = matches!(trouble, Trouble::Bad(_));
        let failure = trouble.clone().failure();
        if is_bad && !arguments.dry_run {
            record(&backup, &[CopyReport::bad(&store, failure.clone())], state).await?;
        }
        if let Trouble::Unseen(_) = trouble {
            return Err(failure.into());
        }
        let bad = if is_bad { scene.output.bad("BAD") } else { scene.output.warn("not restored") };
        scene.output.remark(format!("{bad} {} in {store}: {}", backup.id, failure.message));
        if is_bad || failed.is_none() {
            failed = Some(trouble);
        }
    }
    Err(none_restored(&backup, failed))
}

/// Restores with a bar, until a signal comes.
async fn watched(
    source: &BackupSource,
    target: &Target,
    planned: &RestorePlan,
    replay: &Replay,
    context: &RestoreContext<'_>,
    scene: &Scene<'_>,
) -> Result<Restored, Trouble> {
    let (_keep, progress) = tokio::sync::watch::channel(Some(Arc::clone(&context.progress)));
    let bar = progress::show(scene.output, "restore", progress);
    let cancel = &context.cancel;
    let signals = progress::cancel_on_signal(cancel.clone());
    let done = tokio::select! {
        done = restore(source, target, planned, replay, context) => done,
        () = async { cancel.cancelled().await; tokio::time::sleep(std::time::Duration::from_secs(20)).await } => {
            Err(Failure::new("cancelled").into())
        }
    };
    signals.abort();
    bar.finish().await;
    done
}

fn none_restored(backup: &Backup, failed: Option<Trouble>) -> CliError {
    let Some(trouble) = failed else {
        return CliError::failed(format!("no configured store holds {} whole", backup.id))
            .hint("`caretaker backup show` tells what each store holds");
    };
    let is_bad = matches!(trouble, Trouble::Bad(_));
    let failure = trouble.failure();
    if !is_bad {
        return failure.into();
    }
    let hint = format!(
        "`caretaker backup list` shows other backups, `caretaker backup verify {}` looks at every copy again",
        backup.id
    );
    let hint = failure.hint.map_or(hint.clone(), |first| format!("{first}; {hint}"));
    CliError { exit: Exit::Found, hint: Some(hint), ..CliError::failed(failure.message) }
}

/// The backup of this id, or the newest complete one.
pub(super) async fn find(
    id: &str,
    database: Option<&str>,
    scene: &Scene<'_>,
    state: &State,
) -> Result<Backup, CliError> {
    if id != "latest" {
        return scene.backup(state, id).await;
    }
    let all = state.backups(database.map_or(BackupFilter::All, BackupFilter::Database)).await?;
    all.into_iter()
        .find(|backup| {
            backup.complete_in().next().is_some() && backup.verified != Some(crate::state::Verification::Bad)
        })
        .ok_or_else(|| CliError::failed("there is no complete backup").hint("take one with `caretaker backup now`"))
}

/// The keys in an identity file.
pub(super) fn identities(path: Option<&Path>) -> Result<Identities, CliError> {
    let Some(path) = path else { return Ok(Identities::none()) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| CliError::usage(format!("cannot read the identity file {}: {error}", path.display())))?;
    Identities::parse(&SecretString::from(text)).map_err(|error| CliError { exit: Exit::Usage, ..error.into() })
}
