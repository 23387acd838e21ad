//! Whether a policy may be applied in the form it has.

use jiff::Timestamp;
use serde_json::json;

use super::policy;
use crate::config::PrivacyPolicy;
use crate::run::{self, Failure, Refusal};
use crate::state::{Approval, LogEntry, LogKind, State};

/// On whose behalf a policy is carried out.
pub struct Hand<'a> {
    /// A person's login, or `daemon`.
    pub who: &'a str,
    /// Whether a person does it.
    pub is_person: bool,
    /// The run, if it is one.
    pub run_id: Option<&'a str>,
}

impl Hand<'_> {
    /// A line for the log.
    pub fn entry(&self, policy: &PrivacyPolicy, kind: LogKind, detail: serde_json::Value) -> LogEntry {
        LogEntry {
            kind,
            policy: Some(policy.name.clone()),
            database: Some(policy.database.to_string()),
            run_id: self.run_id.map(str::to_owned),
            who: self.who.to_owned(),
            host: run::host(),
            detail,
        }
    }
}

/// Whether this form of the policy may be applied without a person. Nothing is written.
pub async fn is_given(policy: &PrivacyPolicy, state: &State) -> Result<bool, Failure> {
    if !policy.approval {
        return Ok(true);
    }
    Ok(state.approval(&policy.name).await?.is_some_and(|approval| approval.hash == policy::hash(policy)))
}

/// Whether this form of the policy may be applied; one that has changed is written down in any case. The first one that a
/// person applies is approved by that; from then on every other form must be approved by its hash.
pub async fn check(policy: &PrivacyPolicy, state: &State, hand: &Hand<'_>) -> Result<(), Failure> {
    let (name, hash, now) = (&policy.name, policy::hash(policy), Timestamp::now());
    if !policy.approval {
        return changed(policy, &hash, state, hand).await;
    }
    let approval = state.approval(name).await?;
    if approval.as_ref().is_some_and(|approval| approval.hash == hash) {
        return Ok(());
    }
    if approval.is_none() && hand.is_person {
        let approved_by = hand.who.to_owned();
        let first = Approval { policy: name.clone(), hash: hash.clone(), approved_by, approved_at: now };
        let detail = json!({"policy_hash": hash, "by": "applying it for the first time"});
        state.approve(&first, &hand.entry(policy, LogKind::PolicyApproved, detail)).await?;
        return Ok(());
    }
    let before = approval.as_ref().map(|approval| approval.hash.clone());
    let detail = json!({"policy_hash": hash, "approved_hash": before});
    state.log(&hand.entry(policy, LogKind::PolicyChanged, detail), now).await?;
    let how = if before.is_some() { "has changed since it was approved" } else { "was never approved" };
    Err(Failure {
        refused: Some(Refusal::Safety),
        ..Failure::new(format!("the policy {how}: nothing was done")).hint(format!(
            "look at `caretaker privacy plan {name}`, then `caretaker privacy approve {name} {}`",
            &hash[..12]
        ))
    })
}

/// Writes down that a policy has another form than the one that was carried out last, where nobody has to approve it.
async fn changed(policy: &PrivacyPolicy, hash: &str, state: &State, hand: &Hand<'_>) -> Result<(), Failure> {
    let records = state.log_records(0, Some(&policy.name)).await?;
    let last = records.iter().rev().find_map(|record| record.detail["policy_hash"].as_str());
    if let Some(last) = last.filter(|last| *last != hash) {
        let detail = json!({"policy_hash": hash, "before": last, "by": "approval is not required"});
        state.log(&hand.entry(policy, LogKind::PolicyChanged, detail), Timestamp::now()).await?;
    }
    Ok(())
}
