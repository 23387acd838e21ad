//! `backup verify`

use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::archive::codec::Identities;
use crate::backup;
use crate::cli::exit::{CliError, Exit};
use crate::cli::scene::Scene;
use crate::cli::{progress, restore};
use crate::restore::{BackupSource, CopyReport, RestoreContext, Trouble, record, verify_copy};
use crate::run::{Failure, Progress};
use crate::state::Backup;

pub(super) async fn verify(
    id: &str,
    database: Option<&str>,
    store: Option<&str>,
    identities: Identities,
    scene: &Scene<'_>,
) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let backup = restore::find(id, database, scene, &state).await?;
    let mut stores = backup::copies_to_read(&backup, &scene.config);
    if let Some(store) = store {
        let store = scene.store(store)?;
        stores.retain(|name| *name == store);
    }
    if stores.is_empty() {
        let text = match store {
            Some(store) => format!("store {store} holds no copy of {}", backup.id),
            None => format!("no configured store holds {} whole", backup.id),
        };
        return Err(CliError::failed(text).hint("`caretaker backup show` tells what each store holds"));
    }
    let staging = restore::staging(&state)?;
    let (cancel, progress) = (CancellationToken::new(), Arc::new(Progress::default()));
    let context = RestoreContext {
        config: &scene.config,
        state: &state,
        identities,
        staging: staging.path(),
        progress: Arc::clone(&progress),
        cancel: cancel.clone(),
    };
    let (_keep, watched) = tokio::sync::watch::channel(Some(progress));
    let bar = progress::show(scene.output, "verify", watched);
    let signals = progress::cancel_on_signal(cancel.clone());
    let mut reports: Vec<CopyReport> = Vec::new();
    let mut unreachable: Vec<(String, Failure)> = Vec::new();
    for name in &stores {
        let verified = match BackupSource::open(&backup, name, &scene.config).await {
            Ok(source) => verify_copy(&source, &context).await,
            Err(Trouble::Bad(failure)) => Ok(CopyReport::bad(name, failure)),
            Err(Trouble::Unreachable(failure) | Trouble::Unseen(failure)) => Err(failure),
        };
        match verified {
            Ok(report) => reports.push(report),
            Err(_) if cancel.is_cancelled() => break,
            Err(failure) => unreachable.push((name.to_string(), failure)),
        }
    }
    signals.abort();
    bar.finish().await;
    if cancel.is_cancelled() {
        return Err(CliError { exit: Exit::Interrupted, ..CliError::failed("cancelled") });
    }
    record(&backup, &reports, &state).await?;
    tell(&backup, &reports, &unreachable, scene);
    if reports.iter().any(|report| !report.is_good()) {
        return Ok(Exit::Found);
    }
    match unreachable.into_iter().next() {
        Some((_, failure)) => Err(failure.into()),
        None => Ok(Exit::Done),
    }
}

fn tell(backup: &Backup, reports: &[CopyReport], unreachable: &[(String, Failure)], scene: &Scene<'_>) {
    let output = scene.output;
    for report in reports {
        let readable = report.readable.as_ref().map_or(String::new(), |by| format!(", read to its end by {by}"));
        if report.is_good() {
            output.line(format!(
                "{} {} in {}: every hash is right{readable}",
                output.good("good"),
                backup.id,
                report.store
            ));
        }
        for problem in &report.problems {
            output.line(format!("{} {} in {}: {problem}", output.bad("BAD"), backup.id, report.store));
        }
        for remark in &report.remarks {
            output.line(format!("  {remark}"));
        }
    }
    for (store, failure) in unreachable {
        output.line(format!("{} {} in {store}: {}", output.warn("not verified"), backup.id, failure.message));
    }
    let unreachable: Vec<_> =
        unreachable.iter().map(|(store, failure)| json!({"store": store, "error": failure.message})).collect();
    output.json(&json!({"backup": backup.id, "copies": reports, "unreachable": unreachable}));
}
