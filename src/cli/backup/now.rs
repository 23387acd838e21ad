//! `backup now`

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::backup;
use crate::cli::exit::{CliError, Exit};
use crate::cli::job;
use crate::cli::output::bytes;
use crate::cli::scene::Scene;
use crate::config::DatabaseName;
use crate::run::{Job, execute, host, who};
use crate::state::{LogEntry, LogKind, State};
use crate::units::counted;

pub(super) async fn now(
    database: &str,
    output: Option<&Path>,
    dry_run: bool,
    scene: &Scene<'_>,
) -> Result<Exit, CliError> {
    let database = scene.database(database)?;
    let job = backup::manual_job(&scene.config, &database, output)?;
    if dry_run {
        return job::planned(&job, scene).await;
    }
    let state = scene.state().await?;
    if let Some(dir) = output {
        fetched(&database, dir, &state).await?;
        scene.anchor(&state).await;
    }
    let name = job.name();
    let job = Arc::new(job);
    let report = job::supervised(scene, &name, |request, cancel| {
        let (job, state) = (Arc::clone(&job), state.clone());
        async move { execute(job.as_ref(), &request, &state, &cancel).await }
    })
    .await;
    if let (Some(dir), Some(summary)) = (output, &report.summary) {
        let id = summary["backup"].as_str().unwrap_or_default();
        scene.output.line(format!("written to {}", dir.join(backup::folder(database.as_str(), id)).display()));
    }
    job::told(&name, report, scene)
}

/// What leaves is written down before it does: nobody prunes a copy in a folder of somebody's, and no erasure reaches it.
async fn fetched(database: &DatabaseName, dir: &Path, state: &State) -> Result<(), CliError> {
    let entry = LogEntry {
        kind: LogKind::BackupFetched,
        policy: None,
        database: Some(database.to_string()),
        run_id: None,
        who: who(),
        host: host(),
        detail: json!({"into": dir}),
    };
    state.log(&entry, Timestamp::now()).await?;
    Ok(())
}

/// `20261120T020000Z-3f9c1a: 1.2 GiB in 34 tables, 410 MiB stored in local, offsite`
pub(in crate::cli) fn summary_line(summary: &Value) -> String {
    let id = summary["backup"].as_str().unwrap_or("?");
    if let Some(stores) = summary["completed_in"].as_array() {
        let stores: Vec<_> = stores.iter().filter_map(Value::as_str).collect();
        return format!("{id}: the missing copy was made in {}", stores.join(", "));
    }
    let stores: Vec<_> = summary["stores"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let number = |key: &str| usize::try_from(summary[key].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
    let of = |key, one, many| counted(number(key), one, many);
    let pruned = match summary["pruned"].as_u64() {
        Some(count) if count > 0 => format!("; {count} removed by retention"),
        _ => String::new(),
    };
    format!(
        "{id}: {} in {} ({}), {} stored in {}{pruned}",
        bytes(summary["plain_bytes"].as_u64().unwrap_or(0)),
        of("tables", "table", "tables"),
        of("rows", "row", "rows"),
        bytes(summary["stored_bytes"].as_u64().unwrap_or(0)),
        stores.join(", ")
    )
}
