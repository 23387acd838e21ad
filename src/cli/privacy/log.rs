//! `privacy log`, `privacy verify-log`

use crate::cli::exit::{CliError, Exit};
use crate::cli::output::utc;
use crate::cli::scene::Scene;
use crate::state::verify_log;

pub(super) async fn show(policy: Option<&str>, from: u64, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let records = scene.state().await?.log_records(from, policy).await?;
    let rows = records.iter().map(|record| {
        let policy = record.policy.clone().unwrap_or_default();
        let detail = record.detail.to_string();
        vec![record.seq.to_string(), utc(record.at), record.kind.clone(), policy, record.who.clone(), detail]
    });
    scene.output.table(&["line", "at", "what", "policy", "by", "detail"], rows.collect());
    // One line each: what a program reads, and what can be checked without Caretaker.
    scene.output.json_lines(&records);
    Ok(Exit::Done)
}

pub(super) async fn verify(scene: &Scene<'_>) -> Result<Exit, CliError> {
    let records = scene.state().await?.log_records(0, None).await?;
    let report = verify_log(&records, &[]);
    for flaw in &report.flaws {
        scene.output.line(format!("line {}: {}", flaw.seq, flaw.what));
    }
    for line in &report.clock_set_back {
        scene.output.note(format!("line {line}: the clock stood before that of the line before it"));
    }
    let verdict = if report.flaws.is_empty() { "the log is as it was written" } else { "the log was tampered with" };
    scene.output.line(format!("{verdict}: {} lines, compared with {} anchors", report.lines, report.anchors));
    scene.output.json(&report);
    Ok(if report.flaws.is_empty() { Exit::Done } else { Exit::Found })
}
