//! The certificate of an erasure: what was done, what was found afterwards, what honestly remains.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Found;
use super::remains::Remains;
use crate::config::PrivacyPolicy;
use crate::privacy::policy;
use crate::state::Erasure;

/// The certificate of an erasure.
#[derive(Debug, Clone, Serialize)]
pub struct Certificate {
    /// The erasure's id.
    pub erasure: String,
    /// Under which policy.
    pub policy: String,
    /// In which form of it.
    pub policy_hash: String,
    /// In which database.
    pub database: String,
    /// Who: an HMAC.
    pub subject_hmac: String,
    /// Why.
    pub reason: Option<String>,
    /// When it was received.
    pub received: Timestamp,
    /// When it had to be done.
    pub due: Timestamp,
    /// When it was done.
    pub completed: Timestamp,
    /// What was done, with counts.
    pub references: Vec<Found>,
    /// What a search of all declared columns found afterwards.
    pub residual: Vec<Found>,
    /// What still holds the data.
    pub remains: Remains,
}

impl Certificate {
    pub(super) fn new(
        policy: &PrivacyPolicy,
        erasure: &Erasure,
        references: Vec<Found>,
        residual: Vec<Found>,
        remains: Remains,
        now: Timestamp,
    ) -> Self {
        Self {
            erasure: erasure.id.clone(),
            policy: policy.name.clone(),
            policy_hash: policy::hash(policy),
            database: policy.database.to_string(),
            subject_hmac: erasure.subject_hmac.clone(),
            reason: erasure.reason.clone(),
            received: erasure.received,
            due: erasure.due,
            completed: now,
            references,
            residual,
            remains,
        }
    }
}

/// What the log knows a certificate of the ledger by: SHA-256 of it as JSON, hexadecimal.
pub fn sha256(certificate: &serde_json::Value) -> String {
    hex::encode(Sha256::digest(certificate.to_string()))
}

/// A certificate from the ledger as people read it.
pub fn text(certificate: &serde_json::Value) -> String {
    let mut text = String::new();
    let of = |value: &serde_json::Value, key: &str| match &value[key] {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    for key in
        ["erasure", "policy", "policy_hash", "database", "subject_hmac", "reason", "received", "due", "completed"]
    {
        let _ = writeln!(text, "{key:<14}{}", of(certificate, key));
    }
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    for found in list(&certificate["references"]) {
        let (table, by, action) = (of(&found, "table"), of(&found, "by"), of(&found, "action"));
        let _ = writeln!(text, "done          {table} by {by}: {action}, {} rows", found["rows"]);
    }
    let residual: u64 = list(&certificate["residual"]).iter().filter_map(|found| found["rows"].as_u64()).sum();
    let _ = writeln!(text, "found after   {residual} rows in {} places", list(&certificate["residual"]).len());
    for left in list(&certificate["remains"]["backups"]) {
        let _ = writeln!(text, "remains       {}", backups(&left));
    }
    for left in list(&certificate["remains"]["archives"]) {
        let _ = writeln!(text, "remains       {}", archives(&left));
    }
    for store in list(&certificate["remains"]["archives_not_seen"]) {
        let store = store.as_str().unwrap_or_default();
        let _ = writeln!(text, "remains       perhaps archives in a store that could not be asked: {store}");
    }
    for copy in list(&certificate["remains"]["copies"]) {
        let (into, host, at) = (of(&copy, "into"), of(&copy, "host"), of(&copy, "at"));
        let _ = writeln!(text, "remains       perhaps a copy in {into}, made on {host} at {at}");
    }
    for place in list(&certificate["remains"]["database"]) {
        let _ = writeln!(text, "remains       {}", place.as_str().unwrap_or_default());
    }
    text.trim_end().to_owned()
}

fn backups(left: &serde_json::Value) -> String {
    let of = left["job"].as_str().map_or_else(|| "by hand".to_owned(), |job| format!("of backup.{job}"));
    let until = match left["last_expires_not_before"].as_str() {
        Some(at) => format!("the last does not expire before {at}"),
        None => "kept until somebody deletes them".to_owned(),
    };
    let pinned: Vec<&str> = left["pinned"].as_array().into_iter().flatten().filter_map(|id| id.as_str()).collect();
    let pinned = if pinned.is_empty() { String::new() } else { format!("; pinned: {}", pinned.join(", ")) };
    format!("{} backups {of}: {until}{pinned}", left["count"])
}

fn archives(left: &serde_json::Value) -> String {
    let until = match left["last_expires"].as_str() {
        Some(at) => format!("the last goes at {at}"),
        None => "kept until somebody deletes them".to_owned(),
    };
    let of = |key: &str| left[key].as_str().unwrap_or_default().to_owned();
    let (table, store) = (of("table"), of("store"));
    format!("{} archives of {table} in store {store}, which may hold them: {until}", left["count"])
}
