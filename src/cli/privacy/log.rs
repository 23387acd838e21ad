//! `privacy log`, `privacy verify-log`

use std::path::Path;

use serde::Serialize;

use crate::anchor::{self, Missed};
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::utc;
use crate::cli::restore::identities;
use crate::cli::scene::Scene;
use crate::state::{LogReport, verify_log};
use crate::units::counted;

pub(super) async fn show(policy: Option<&str>, from: u64, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let records = scene.state().await?.log_records(from, policy).await?;
    let rows = records.iter().map(|record| {
        let policy = record.policy.clone().unwrap_or_default();
        let detail = shortened(record.detail.to_string());
        vec![record.seq.to_string(), utc(record.at), record.kind.clone(), policy, record.who.clone(), detail]
    });
    scene.output.table(&["line", "at", "what", "policy", "by", "detail"], rows.collect());
    // One line each: what a program reads, and what can be checked without Caretaker.
    scene.output.json_lines(&records);
    Ok(Exit::Done)
}

/// As much of a detail as a person reads in a table; certificates and `--format json` have all of it.
const READ: usize = 200;

fn shortened(detail: String) -> String {
    match detail.char_indices().nth(READ) {
        Some((end, _)) => format!("{} …", &detail[..end]),
        None => detail,
    }
}

#[derive(Serialize)]
struct Verified {
    #[serde(flatten)]
    report: LogReport,
    /// Anchors whose lines were compared as well.
    lines_compared: usize,
    /// Anchors whose lines are encrypted, and no key was given that opens them.
    lines_sealed: usize,
    /// Stores that could not be asked.
    unreachable: Vec<Missed>,
}

pub(super) async fn verify(identity: Option<&Path>, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let identities = identities(identity)?;
    let has_key = !identities.is_empty();
    let state = scene.state().await?;
    let mut anchors = anchor::read(&scene.config, &state).await?;
    let records = state.log_records(0, None).await?;
    let mut report = verify_log(&records, &anchors.found);
    let lines = anchor::compare(&scene.config, &state, &records, &identities).await?;
    report.flaws.extend(lines.flaws);
    report.flaws.sort_by_key(|flaw| flaw.seq);
    anchors.missed.extend(lines.missed);
    for flaw in &report.flaws {
        scene.output.line(format!("line {}: {}", flaw.seq, flaw.what));
    }
    for line in &report.clock_set_back {
        scene.output.note(format!("line {line}: the clock stood before that of the line before it"));
    }
    for Missed { store, error } in &anchors.missed {
        scene.output.line(format!("not compared with store {store}: {error}"));
    }
    if lines.sealed > 0 {
        let why = match has_key {
            true => "the key that was given does not fit",
            false => "the lines are encrypted, `--identity FILE` opens them",
        };
        let sealed = counted(lines.sealed, "anchor", "anchors");
        scene.output.line(format!("of {sealed} only the head was compared: {why}"));
    }
    let (verdict, exit) = match (report.flaws.is_empty(), anchors.missed.is_empty()) {
        (false, _) => ("the log was tampered with", Exit::Found),
        (true, false) => ("nothing is wrong with the log as far as it could be seen", Exit::Unseen),
        (true, true) => ("the log is as it was written", Exit::Done),
    };
    scene.output.line(format!(
        "{verdict}: {} lines, compared with {} anchors, line by line with {}",
        report.lines, report.anchors, lines.compared
    ));
    scene.output.json(&Verified {
        report,
        lines_compared: lines.compared,
        lines_sealed: lines.sealed,
        unreachable: anchors.missed,
    });
    Ok(exit)
}
