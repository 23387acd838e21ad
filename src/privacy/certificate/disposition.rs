//! The certificate of a policy's run, from the log.

use std::collections::BTreeMap;

use super::basis::{approval, copies_gone, is};
use super::{Applied, AppliedRule, Basis, Certificate, Of, Outcome, RuleDone, statement};
use crate::state::{Disposition, LogKind, LogRecord};

/// The runs of policies of which the log says something that a certificate can be made of, the oldest first.
pub fn runs(records: &[LogRecord]) -> Vec<&str> {
    let mut runs: Vec<&str> = Vec::new();
    for record in records.iter().filter(|record| tells(record)) {
        if let Some(run) = record.run_id.as_deref().filter(|run| !runs.contains(run)) {
            runs.push(run);
        }
    }
    runs
}

/// The last run of a policy that did something.
pub fn latest<'r>(records: &'r [LogRecord], policy: &str) -> Option<&'r str> {
    let is_its = |record: &&LogRecord| record.policy.as_deref() == Some(policy) && tells(record);
    records.iter().rev().filter(is_its).find_map(|record| record.run_id.as_deref())
}

fn tells(record: &LogRecord) -> bool {
    is(record, LogKind::PolicyApplied) || is(record, LogKind::DispositionStarted)
}

/// The certificate of a run. `known`: how far its dispositions have come, by their ids; asked only where the run was cut off
/// before it could write it down. `None`: the log says nothing of it.
pub fn disposition(
    records: &[LogRecord],
    run: &str,
    known: &BTreeMap<String, Disposition>,
    basis: Basis,
) -> Option<Certificate> {
    let of_run: Vec<&LogRecord> = records.iter().filter(|record| record.run_id.as_deref() == Some(run)).collect();
    let first = of_run.iter().find(|record| tells(record))?;
    let end = of_run.iter().find(|record| is(record, LogKind::PolicyApplied));
    let applied: Option<Applied> = end.and_then(|end| serde_json::from_value(end.detail.clone()).ok());
    let (outcome, rules) = match &applied {
        Some(applied) => (outcome(&applied.rules), applied.rules.iter().map(done).collect()),
        None => (Outcome::CutOff, cut_off(records, &of_run, run, known)),
    };
    let policy = first.policy.clone().unwrap_or_default();
    let policy_hash = match &applied {
        Some(applied) => applied.policy_hash.clone(),
        None => first.detail["policy_hash"].as_str().unwrap_or_default().to_owned(),
    };
    let ids: Vec<&str> = rules.iter().filter_map(|rule: &RuleDone| rule.applied.disposition.as_deref()).collect();
    let approved = approval(records, &policy, &policy_hash, end.map_or(first.seq, |end| end.seq));
    let gone = copies_gone(records, "dispositions", &ids);
    // A disposition that an earlier run has begun, or a later one has ended, rests on their lines as well.
    let of_dispositions =
        records.iter().filter(|record| record.detail["disposition"].as_str().is_some_and(|id| ids.contains(&id)));
    let mut lines: Vec<&LogRecord> = of_run.iter().copied().chain(of_dispositions).collect();
    lines.extend(approved.as_ref().map(|(line, _)| *line));
    lines.extend(gone);
    let completed = of_run.iter().filter(|record| is(record, LogKind::ErasureCompleted));
    let erasures = completed.filter_map(|record| Some(record.detail["erasure"].as_str()?.to_owned())).collect();
    let copies_gone = gone.map(|line| line.at);
    let mut certificate = Certificate {
        of: Of::Disposition,
        id: run.to_owned(),
        statement: Vec::new(),
        policy,
        policy_hash,
        database: first.database.clone().unwrap_or_default(),
        approved: approved.map(|(_, approved)| approved),
        who: first.who.clone(),
        host: first.host.clone(),
        began: applied.as_ref().map_or(first.at, |applied| applied.began),
        ended: end.map(|end| end.at),
        outcome,
        rules,
        erasures,
        erased: None,
        remains: applied.and_then(|applied| applied.remains),
        copies_gone,
        log: basis.on(&lines),
    };
    certificate.statement = statement::of(&certificate);
    Some(certificate)
}

fn outcome(rules: &[AppliedRule]) -> Outcome {
    if rules.iter().any(|rule| rule.error.is_some()) { Outcome::Partial } else { Outcome::Completed }
}

fn done(applied: &AppliedRule) -> RuleDone {
    RuleDone { applied: applied.clone(), gone_on_with_by: None }
}

/// What a run that was cut off had begun, and what had come of it.
fn cut_off(
    records: &[LogRecord],
    of_run: &[&LogRecord],
    run: &str,
    known: &BTreeMap<String, Disposition>,
) -> Vec<RuleDone> {
    let begun = of_run.iter().filter(|record| is(record, LogKind::DispositionStarted));
    let rule = |record: &&LogRecord| {
        let text = |key: &str| record.detail[key].as_str().map(str::to_owned);
        let id = text("disposition")?;
        let end = records.iter().find(|other| {
            other.seq > record.seq
                && other.detail["disposition"] == id.as_str()
                && [LogKind::DispositionCompleted, LogKind::DispositionFailed].iter().any(|kind| is(other, *kind))
        });
        let later = end.and_then(|end| end.run_id.clone()).filter(|other| other != run);
        let known = known.get(&id);
        Some(RuleDone {
            applied: AppliedRule {
                rule: text("rule").unwrap_or_default(),
                table: text("table").unwrap_or_default(),
                action: text("action").unwrap_or_default(),
                reason: text("reason"),
                cutoff: text("cutoff").and_then(|at| at.parse().ok()),
                planned: record.detail["planned"].as_u64().unwrap_or(0),
                done: known.map_or(0, |known| known.done),
                batches: known.map_or(0, |known| known.batches),
                residual: end.and_then(|end| serde_json::from_value(end.detail["residual"].clone()).ok()),
                error: end.is_none().then(|| "it was cut off".to_owned()),
                disposition: Some(id),
                ..AppliedRule::default()
            },
            gone_on_with_by: later,
        })
    };
    begun.filter_map(rule).collect()
}
