//! `restore`

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::args::RestoreArgs;
use super::confirm::confirm;
use super::exit::{CliError, Exit};
use super::output::{age, bytes};
use super::progress;
use super::scene::Scene;
use crate::archive::codec::Identities;
use crate::backup::copies_to_read;
use crate::restore::{
    BackupSource, Comparison, CopyReport, RestoreContext, RestorePlan, Restored, Target, Trouble, parse_target, plan,
    record, restore,
};
use crate::run::{Failure, Progress, host, who};
use crate::state::{Backup, BackupFilter, LogEntry, LogKind, State};

pub(super) async fn run(arguments: &RestoreArgs, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let database = scene.database(&arguments.database)?;
    let state = scene.state().await?;
    let backup = find(&arguments.id, Some(database.as_str()), scene, &state).await?;
    if backup.database != database.as_str() {
        return Err(CliError::usage(format!("{} is a backup of {}, not of {database}", backup.id, backup.database)));
    }
    let target =
        parse_target(&arguments.into, &scene.config).map_err(|error| CliError { exit: Exit::Usage, ..error.into() })?;
    let staging = staging(&state)?;
    let identities = identities(arguments.identity.as_deref())?;
    // One copy after the other until one is good. Of what failed, that a copy is bad counts most.
    let (mut failed, mut confirmed): (Option<Trouble>, _) = (None, arguments.yes);
    for store in copies_to_read(&backup, &scene.config) {
        let context = RestoreContext {
            config: &scene.config,
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
                if !show(&planned, arguments.dry_run, scene)? {
                    return Ok(Exit::Done);
                }
                confirm(&format!("restore {} into {}", planned.backup, planned.target), confirmed || planned.creates)?;
                confirmed = true;
                match watched(&source, &target, &planned, &context, scene).await? {
                    Ok(restored) => {
                        let exit = tell(&planned, &restored, scene);
                        log(&backup, &planned, &restored, &state).await?;
                        scene.anchor(&state).await;
                        return Ok(exit);
                    }
                    Err(trouble) => trouble,
                }
            }
        };
        let is_bad = matches!(trouble, Trouble::Bad(_));
        let failure = trouble.clone().failure();
        if is_bad && !arguments.dry_run {
            record(&backup, &[CopyReport::bad(&store, failure.clone())], &state).await?;
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
    context: &RestoreContext<'_>,
    scene: &Scene<'_>,
) -> Result<Result<Restored, Trouble>, CliError> {
    let (_keep, progress) = tokio::sync::watch::channel(Some(Arc::clone(&context.progress)));
    let bar = progress::show(scene.output, "restore", progress);
    let cancel = &context.cancel;
    let signals = progress::cancel_on_signal(cancel.clone());
    let done = tokio::select! {
        done = restore(source, target, planned, context) => done,
        () = async { cancel.cancelled().await; tokio::time::sleep(std::time::Duration::from_secs(20)).await } => {
            Err(Failure::new("cancelled").into())
        }
    };
    signals.abort();
    bar.finish().await;
    match done {
        Err(_) if cancel.is_cancelled() => Err(CliError { exit: Exit::Interrupted, ..CliError::failed("cancelled") }),
        done => Ok(done),
    }
}

/// Data that had been disposed of may be back: where, stands in the disposition log.
async fn log(backup: &Backup, planned: &RestorePlan, restored: &Restored, state: &State) -> Result<(), CliError> {
    let entry = LogEntry {
        kind: LogKind::BackupRestored,
        policy: None,
        database: Some(backup.database.clone()),
        run_id: None,
        who: who(),
        host: host(),
        detail: json!({
            "backup": planned.backup, "store": planned.store, "snapshot_at": planned.snapshot_at, "into": planned.target,
            "same": restored.comparison.same,
        }),
    };
    state.log(&entry, jiff::Timestamp::now()).await?;
    Ok(())
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

fn tell(planned: &RestorePlan, restored: &Restored, scene: &Scene<'_>) -> Exit {
    for warning in &restored.warnings {
        scene.output.line(format!("{} {warning}", scene.output.warn("warning:")));
    }
    show_comparison(&restored.comparison, scene);
    scene.output.json(&json!({"plan": planned, "result": restored}));
    if restored.comparison.same { Exit::Done } else { Exit::Found }
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

/// A private folder in the state directory.
pub(super) fn staging(state: &State) -> Result<tempfile::TempDir, CliError> {
    let parent = state.dir().join("staging");
    let made =
        std::fs::create_dir_all(&parent).and_then(|()| tempfile::Builder::new().prefix("restore-").tempdir_in(&parent));
    made.map_err(|error| CliError::failed(format!("cannot make a staging folder in {}: {error}", parent.display())))
}

/// The keys in an identity file.
pub(super) fn identities(path: Option<&Path>) -> Result<Identities, CliError> {
    let Some(path) = path else { return Ok(Identities::none()) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| CliError::usage(format!("cannot read the identity file {}: {error}", path.display())))?;
    Identities::parse(&SecretString::from(text)).map_err(|error| CliError { exit: Exit::Usage, ..error.into() })
}

/// Shows the plan; refuses a target that is not empty. Whether it is to be carried out.
fn show(plan: &RestorePlan, dry_run: bool, scene: &Scene<'_>) -> Result<bool, CliError> {
    let output = scene.output;
    output.line(format!("backup  {} from store {}", output.strong(&plan.backup), plan.store));
    let old = age(plan.snapshot_at, jiff::Timestamp::now());
    output.line(format!("data    of {}, {old} old", super::output::utc(plan.snapshot_at)));
    output.line(format!("size    {} stored, {} plain", bytes(plan.stored_bytes), bytes(plan.plain_bytes)));
    let how = if plan.creates { "new" } else { "existing, must be empty" };
    output.line(format!("into    {} ({how})", plan.target));
    if let Some(tool) = &plan.tool {
        output.line(format!("with    {tool}"));
    }
    for warning in &plan.warnings {
        output.line(format!("{} {warning}", output.warn("warning:")));
    }
    let refused = plan.occupied.first();
    if dry_run {
        output.json(&match refused {
            Some(_) => json!({"plan": plan, "refused": true}),
            None => json!({"plan": plan}),
        });
    }
    match refused {
        Some(first) => Err(CliError::refused(format!("the target is not empty: {first}"))
            .hint("name a new database or file; Caretaker never overwrites one")),
        None => Ok(!dry_run),
    }
}

/// The comparison as a table.
pub(super) fn show_comparison(comparison: &Comparison, scene: &Scene<'_>) {
    let output = scene.output;
    let number = |rows: Option<u64>| rows.map_or("—".to_owned(), |rows| rows.to_string());
    let rows = comparison.tables.iter().map(|table| {
        vec![
            table.table.clone(),
            number(table.expected_rows),
            number(table.found_rows),
            match (table.same_hash, &table.not_comparable) {
                (_, Some(why)) => output.warn(&format!("not compared: {why}")),
                (Some(true), None) => output.good("same hash"),
                (Some(false), None) => output.bad("different hash"),
                (None, None) if table.is_same() => output.good("same rows"),
                (None, None) => output.bad("different"),
            },
        ]
    });
    output.table(&["table", "rows in backup", "rows restored", ""], rows.collect());
    output.line(match (comparison.same, comparison.proven) {
        (true, true) => output.good("restored, and the same as the backup"),
        (true, false) => output.warn("restored; the backup holds no fingerprint to compare with"),
        (false, _) => output.bad("restored, but NOT the same as the backup"),
    });
}
