//! `privacy log`, `privacy verify-log`

use serde::Serialize;

use crate::anchor::{self, Missed};
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::utc;
use crate::cli::scene::Scene;
use crate::state::{LogReport, verify_log};

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

#[derive(Serialize)]
struct Verified {
    #[serde(flatten)]
    report: LogReport,
    /// Stores that could not be asked.
    unreachable: Vec<Missed>,
}

pub(super) async fn verify(scene: &Scene<'_>) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let anchors = anchor::read(&scene.config, &state).await?;
    let report = verify_log(&state.log_records(0, None).await?, &anchors.found);
    for flaw in &report.flaws {
        scene.output.line(format!("line {}: {}", flaw.seq, flaw.what));
    }
    for line in &report.clock_set_back {
        scene.output.note(format!("line {line}: the clock stood before that of the line before it"));
    }
    for Missed { store, error } in &anchors.missed {
        scene.output.line(format!("not compared with store {store}: {error}"));
    }
    let (verdict, exit) = match (report.flaws.is_empty(), anchors.missed.is_empty()) {
        (false, _) => ("the log was tampered with", Exit::Found),
        (true, false) => ("nothing is wrong with the log as far as it could be seen", Exit::Unseen),
        (true, true) => ("the log is as it was written", Exit::Done),
    };
    scene.output.line(format!("{verdict}: {} lines, compared with {} anchors", report.lines, report.anchors));
    scene.output.json(&Verified { report, unreachable: anchors.missed });
    Ok(exit)
}
