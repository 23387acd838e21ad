//! What a certificate rests on: lines of the disposition log, and whether the log is as it was written.

use jiff::Timestamp;
use serde::Serialize;

use super::Approved;
use crate::state::{LogKind, LogRecord, LogReport};

/// What a certificate rests on.
#[derive(Debug, Clone, Serialize)]
pub struct Basis {
    /// Its lines.
    pub lines: Vec<Line>,
    /// Whether nothing is wrong with the log, nor with what the certificate takes from the ledger.
    pub verifies: bool,
    /// What is wrong.
    pub flaws: Vec<String>,
    /// With how many anchors the log was compared.
    pub anchors: usize,
    /// Stores that could not be asked for theirs.
    pub unreachable: Vec<String>,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What it is about.
    pub kind: String,
    /// Its hash.
    pub hash: String,
}

impl Basis {
    /// What came of looking through the log, before its lines are chosen.
    pub fn new(report: &LogReport, unreachable: Vec<String>) -> Self {
        let flaws: Vec<String> = report.flaws.iter().map(|flaw| format!("line {}: {}", flaw.seq, flaw.what)).collect();
        Self { lines: Vec::new(), verifies: flaws.is_empty(), flaws, anchors: report.anchors, unreachable }
    }

    /// With these lines, in their order.
    pub(super) fn on(mut self, records: &[&LogRecord]) -> Self {
        self.lines = records.iter().map(|record| Line::of(record)).collect();
        self.lines.sort_by_key(|line| line.seq);
        self.lines.dedup();
        self
    }

    /// With something else that is wrong.
    pub(super) fn doubted(mut self, flaw: String) -> Self {
        self.flaws.push(flaw);
        self.verifies = false;
        self
    }
}

impl Line {
    fn of(record: &LogRecord) -> Self {
        Self { seq: record.seq, at: record.at, kind: record.kind.clone(), hash: record.hash.clone() }
    }
}

/// Whether a line is of a kind.
pub(super) fn is(record: &LogRecord, kind: LogKind) -> bool {
    record.kind == kind.as_str()
}

/// The line by which a policy's form was approved, as it was when `before` was written.
pub(super) fn approval<'r>(
    records: &'r [LogRecord],
    policy: &str,
    hash: &str,
    before: u64,
) -> Option<(&'r LogRecord, Approved)> {
    let is_its = |record: &&LogRecord| {
        let of_policy = record.policy.as_deref() == Some(policy) && record.seq < before;
        of_policy && is(record, LogKind::PolicyApproved)
    };
    let last = records.iter().rev().find(is_its).filter(|record| record.detail["policy_hash"] == hash)?;
    Some((last, Approved { by: last.who.clone(), at: last.at, line: last.seq }))
}

/// The line that says that the last backup has gone which held one of these.
pub(super) fn copies_gone<'r>(records: &'r [LogRecord], list: &str, ids: &[&str]) -> Option<&'r LogRecord> {
    let names = |record: &&LogRecord| {
        let mut named = record.detail[list].as_array().into_iter().flatten().filter_map(|id| id.as_str());
        is(record, LogKind::CopiesGone) && named.any(|id| ids.contains(&id))
    };
    records.iter().rfind(names)
}
