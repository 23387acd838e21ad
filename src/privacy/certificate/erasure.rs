//! The certificate of an erasure, from the ledger, with the lines of the log that it rests on.

use serde::Deserialize;

use super::basis::{approval, copies_gone, is};
use super::{Basis, Certificate, Deferral, Erased, Of, Outcome, statement};
use crate::privacy::erase::{Found, Remains, sha256};
use crate::state::{Erasure, LogKind, LogRecord};

/// What the ledger keeps.
#[derive(Deserialize)]
struct Kept {
    policy_hash: String,
    references: Vec<Found>,
    residual: Vec<Found>,
    remains: Remains,
}

/// The certificate of an erasure; `None`: it is not completed.
pub fn erasure(records: &[LogRecord], erasure: &Erasure, mut basis: Basis) -> Option<Certificate> {
    let (value, completed) = (erasure.certificate.as_ref()?, erasure.completed?);
    let kept: Kept = serde_json::from_value(value.clone()).ok()?;
    let of_it = |record: &&LogRecord| record.detail["erasure"] == erasure.id.as_str();
    let end = records.iter().filter(of_it).rfind(|record| is(record, LogKind::ErasureCompleted));
    match end {
        Some(end) if end.detail["certificate_sha256"] == sha256(value).as_str() => {}
        Some(end) => {
            basis = basis.doubted(format!("what the ledger says of it is not what line {} says", end.seq));
        }
        None => basis = basis.doubted("the log does not say that it was completed".to_owned()),
    }
    let before = end.map_or(u64::MAX, |end| end.seq);
    let approved = approval(records, &erasure.policy, &kept.policy_hash, before);
    let gone = copies_gone(records, "erasures", &[&erasure.id]);
    let mut lines: Vec<&LogRecord> = records.iter().filter(of_it).collect();
    lines.extend(approved.as_ref().map(|(line, _)| *line));
    lines.extend(gone);
    let mut certificate = Certificate {
        of: Of::Erasure,
        id: erasure.id.clone(),
        statement: Vec::new(),
        policy: erasure.policy.clone(),
        policy_hash: kept.policy_hash,
        database: erasure.database.clone(),
        approved: approved.map(|(_, approved)| approved),
        who: erasure.requested_by.clone(),
        host: end.map(|end| end.host.clone()).unwrap_or_default(),
        began: erasure.received,
        ended: Some(completed),
        outcome: Outcome::Completed,
        rules: Vec::new(),
        erasures: Vec::new(),
        erased: Some(Erased {
            subject_hmac: erasure.subject_hmac.clone(),
            reason: erasure.reason.clone(),
            due: erasure.due,
            deferred: records.iter().filter(of_it).filter_map(deferral).collect(),
            references: kept.references,
            residual: kept.residual,
        }),
        remains: Some(kept.remains),
        copies_gone: gone.map(|line| line.at),
        log: basis.on(&lines),
    };
    certificate.statement = statement::of(&certificate);
    Some(certificate)
}

fn deferral(record: &LogRecord) -> Option<Deferral> {
    let holds = record.detail["holds"].as_array().into_iter().flatten().filter_map(|id| id.as_str());
    is(record, LogKind::ErasureDeferred).then(|| Deferral { at: record.at, holds: holds.map(str::to_owned).collect() })
}
