//! `backup list`

use jiff::Timestamp;
use serde_json::{Value, json};

use super::manifest;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::{age, bytes, duration};
use crate::cli::scene::Scene;
use crate::state::{Backup, BackupFilter, BackupState, CopyState, Verification};

pub(super) async fn list(database: Option<&str>, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let database = database.map(|name| scene.database(name)).transpose()?;
    let state = scene.state().await?;
    let backups = state
        .backups(database.as_ref().map_or(BackupFilter::All, |name| BackupFilter::Database(name.as_str())))
        .await?;
    let now = Timestamp::now();
    let rows = backups.iter().map(|backup| row(backup, now, scene)).collect();
    scene.output.table(
        &["backup", "database", "by", "age", "plain", "stored", "ratio", "took", "state", "stores", "verified"],
        rows,
    );
    scene.output.json(&backups.iter().map(value).collect::<Vec<_>>());
    Ok(Exit::Done)
}

/// A backup as it stands in JSON output.
pub(super) fn value(backup: &Backup) -> Value {
    let mut value = serde_json::to_value(backup).unwrap_or_default();
    if let Some(manifest) = manifest(backup) {
        let plain: u64 = manifest.objects.iter().map(|object| object.plain_bytes).sum();
        let stored: u64 = manifest.objects.iter().map(|object| object.bytes).sum();
        value["plain_bytes"] = json!(plain);
        value["stored_bytes"] = json!(stored);
        value["snapshot_at"] = json!(manifest.snapshot_at);
    }
    value
}

fn row(backup: &Backup, now: Timestamp, scene: &Scene<'_>) -> Vec<String> {
    let output = scene.output;
    let (plain, stored, ratio, took) = match manifest(backup) {
        None => (String::new(), String::new(), String::new(), String::new()),
        Some(manifest) => {
            let plain: u64 = manifest.objects.iter().map(|object| object.plain_bytes).sum();
            let stored: u64 = manifest.objects.iter().map(|object| object.bytes).sum();
            #[allow(clippy::cast_precision_loss, reason = "shown with two digits")]
            let ratio = if stored == 0 { String::new() } else { format!("{:.2}", plain as f64 / stored as f64) };
            (bytes(plain), bytes(stored), ratio, duration(manifest.finished_at.duration_since(manifest.started_at)))
        }
    };
    let copies: Vec<String> = backup
        .copies
        .iter()
        .map(|copy| match copy.state {
            CopyState::Complete => copy.store.clone(),
            other => output.bad(&format!("{} ({})", copy.store, other.as_str())),
        })
        .collect();
    let mut state = match backup.state {
        BackupState::Complete => output.good("complete"),
        BackupState::Partial => output.warn("partial"),
        BackupState::Writing => "writing".to_owned(),
        BackupState::Failed => output.bad("failed"),
    };
    if backup.pinned_at.is_some() {
        state.push_str(" pinned");
    }
    vec![
        backup.id.clone(),
        backup.database.clone(),
        backup.job.clone().unwrap_or_else(|| "hand".to_owned()),
        age(backup.started_at, now),
        plain,
        stored,
        ratio,
        took,
        state,
        copies.join(", "),
        match (backup.verified, backup.verified_at) {
            (Some(Verification::Good), Some(at)) => output.good(&format!("{} ago", age(at, now))),
            (Some(Verification::Bad), _) => output.bad("BAD"),
            _ => "never".to_owned(),
        },
    ]
}
