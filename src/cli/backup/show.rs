//! `backup show`

use serde_json::json;

use super::list::value;
use super::manifest;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::{bytes, utc};
use crate::cli::restore;
use crate::cli::scene::Scene;
use crate::state::Verification;

pub(super) async fn show(id: &str, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let backup = restore::find(id, None, scene, &state).await?;
    let manifest = manifest(&backup);
    let output = scene.output;
    let mut json = value(&backup);
    json["manifest"] = json!(manifest);
    output.json(&json);
    let lines = [
        ("backup", backup.id.clone()),
        ("database", backup.database.clone()),
        ("made by", backup.job.clone().unwrap_or_else(|| "hand".to_owned())),
        ("run", backup.run_id.clone()),
        ("state", backup.state.as_str().to_owned()),
        ("started", utc(backup.started_at)),
        ("pinned", backup.pinned_at.map_or("no".to_owned(), utc)),
        (
            "verified",
            backup.verified_at.map_or("never".to_owned(), |at| {
                let found = backup.verified.map_or("", Verification::as_str);
                format!("{} {found} ({})", utc(at), backup.verified_by.as_deref().unwrap_or_default())
            }),
        ),
    ];
    for (name, text) in lines {
        output.line(format!("{name:<14}{text}"));
    }
    for copy in &backup.copies {
        let why = copy.error.as_ref().map_or(String::new(), |error| format!(": {error}"));
        output.line(format!("{:<14}{} {}{why}", "copy", copy.store, copy.state.as_str()));
    }
    let Some(manifest) = manifest else { return Ok(Exit::Done) };
    let settings = [
        ("snapshot", utc(manifest.snapshot_at)),
        ("source", format!("{} {}", manifest.source.name, manifest.source.version)),
        ("tool", manifest.tools.pg_dump.clone().unwrap_or_default()),
        ("compression", manifest.compression.clone()),
        ("encrypted to", manifest.encrypted_to.join(", ")),
        ("fingerprint", manifest.fingerprint.level.clone()),
    ];
    for (name, text) in settings.into_iter().filter(|(_, text)| !text.is_empty()) {
        output.line(format!("{name:<14}{text}"));
    }
    for warning in &manifest.warnings {
        output.line(format!("{} {warning}", output.warn("warning:")));
    }
    output.line("");
    let objects = manifest
        .objects
        .iter()
        .map(|object| vec![object.name.clone(), bytes(object.bytes), bytes(object.plain_bytes), object.sha256.clone()]);
    output.table(&["object", "stored", "plain", "sha256 of the stored bytes"], objects.collect());
    output.line("");
    let tables = manifest.tables.iter().map(|table| {
        let rows = table.rows.map_or("—".to_owned(), |rows| rows.to_string());
        let remark = table.not_comparable.clone().or_else(|| table.hash.clone()).unwrap_or_default();
        vec![format!("{}.{}", table.schema, table.name), rows, remark]
    });
    output.table(&["table", "rows", "hash"], tables.collect());
    Ok(Exit::Done)
}
