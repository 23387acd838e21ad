#![allow(clippy::unwrap_used, reason = "tests")]

mod properties;
mod tables;

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Candidate, Plan, Standing, plan};
use crate::archive::manifest::Purpose;
use crate::config::Retention;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A backup from its line in a table: an instant, and words: a standing, `manual`, `pinned`, `held`.
fn backup(line: &str) -> Candidate {
    let mut words = line.split_whitespace();
    let started_at = at(words.next().unwrap());
    let words: Vec<_> = words.collect();
    let has = |word: &str| words.contains(&word);
    Candidate {
        id: format!("{}-000000", started_at.strftime("%Y%m%dT%H%M%SZ")).parse().unwrap(),
        started_at,
        standing: match () {
            () if has("partial") => Standing::Partial,
            () if has("failed") => Standing::Failed,
            () if has("suspect") => Standing::Suspect,
            () => Standing::Good,
        },
        purpose: if has("manual") { Purpose::Manual } else { Purpose::Job },
        pinned: has("pinned"),
        held: has("held"),
    }
}

/// Nightly backups at 02:00 UTC, the last of them on 20 November 2026.
fn nightly(count: i64) -> Vec<Candidate> {
    let newest = at("2026-11-20T02:00:00Z");
    (0..count).map(|days| backup(&(newest - jiff::SignedDuration::from_hours(24 * days)).to_string())).collect()
}

fn backups(lines: &[&str]) -> Vec<Candidate> {
    lines.iter().map(|line| backup(line)).collect()
}

/// The plan as a table, at noon of 20 November 2026 in Berlin.
fn table(policy: &Retention, backups: &[Candidate]) -> String {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    shown(&plan(policy, backups, &zone, at("2026-11-20T11:00:00Z")), backups, &zone)
}

fn shown(plan: &Plan, backups: &[Candidate], zone: &TimeZone) -> String {
    let mut table = String::new();
    for verdict in &plan.verdicts {
        let backup = backups.iter().find(|backup| backup.id == verdict.id).unwrap();
        let local = backup.started_at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M").to_string();
        let keep = if verdict.keep { "keep" } else { "DELETE" };
        let reasons: Vec<_> = verdict.reasons.iter().map(ToString::to_string).collect();
        writeln!(table, "{local}  {keep:6}  {}", reasons.join(", ")).unwrap();
    }
    for overdue in &plan.overdue {
        let reasons: Vec<_> = overdue.reasons.iter().map(ToString::to_string).collect();
        writeln!(table, "overdue: {} stays: {}", overdue.id, reasons.join(", ")).unwrap();
    }
    table
}
