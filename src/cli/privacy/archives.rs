//! `privacy archives`: rows that were archived before they went.

use super::policy;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::utc;
use crate::cli::scene::Scene;
use crate::records;
use crate::units;

pub(super) async fn run(name: Option<&str>, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let policy = name.map(|name| policy(Some(name), scene)).transpose()?;
    let listing = records::list(&scene.config, policy.map(|policy| policy.name.as_str())).await;
    let rows = listing.found.iter().map(|found| {
        let it = &found.manifest;
        let expires = it.expires.map_or_else(|| "never".to_owned(), utc);
        #[allow(clippy::cast_precision_loss, reason = "for people")]
        let bytes = units::bytes(it.object.bytes as f64);
        let place = format!("{}:{}", found.store, found.folder);
        vec![it.rule.clone(), it.table.clone(), it.rows.to_string(), bytes, utc(it.at), expires, place]
    });
    scene.output.table(&["rule", "table", "rows", "stored", "written", "expires", "where"], rows.collect());
    let mut unknown: Vec<&str> = listing.found.iter().map(|found| found.manifest.policy.as_str()).collect();
    unknown.retain(|policy| !scene.config.privacy.contains_key(*policy));
    unknown.dedup();
    for policy in unknown {
        scene.output.note(format!("the policy {policy} is not in the configuration: its archives stay until it is"));
    }
    for records::Missed { store, error } in &listing.missed {
        scene.output.line(format!("not looked at: store {store}: {error}"));
    }
    if listing.found.is_empty() && listing.missed.is_empty() {
        scene.output.line("no archives");
    }
    scene.output.json(&listing);
    Ok(if listing.missed.is_empty() { Exit::Done } else { Exit::Unseen })
}
