//! Archives that have lain for as long as they should: they go, unless a hold may be about their rows.

use jiff::Timestamp;
use serde_json::json;

use super::write::{remove, within};
use super::{Found, STORE_WITHIN, find, open};
use crate::config::{Config, PrivacyPolicy, StoreName, TableName};
use crate::run::{Failure, host};
use crate::state::{Held, Hold, LogEntry, LogKind, State};

/// What came of letting archives go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expired {
    /// How many are gone.
    pub removed: usize,
    /// What could not be done, in words.
    pub warnings: Vec<String>,
}

/// Removes the archives of a policy whose time has passed, and logs it. `who`: at whose wish.
///
/// # Errors
///
/// When the state store fails. A store that fails is a warning: its archives go next time.
pub async fn expire(
    config: &Config,
    state: &State,
    policy: &PrivacyPolicy,
    who: &str,
    now: Timestamp,
) -> Result<Expired, Failure> {
    let listing = find(config, state, &policy.name).await?;
    let mut done = Expired::default();
    let missed = listing.missed.iter();
    done.warnings.extend(missed.map(|it| format!("archives in store {} were not looked at: {}", it.store, it.error)));
    let is_over = |found: &&Found| found.manifest.expires.is_some_and(|at| at <= now);
    let over: Vec<&Found> = listing.found.iter().filter(is_over).collect();
    if over.is_empty() {
        return Ok(done);
    }
    let holds = state.holds(Some(&policy.name), Some(now)).await?;
    let (mut gone, mut kept) = (Vec::new(), 0);
    for found in over {
        if holds.iter().any(|hold| may_be_about(hold, &found.manifest.table)) {
            kept += 1;
            continue;
        }
        match take_away(config, found).await {
            Ok(()) => gone.push(found),
            Err(failure) => {
                let (folder, store) = (&found.folder, &found.store);
                done.warnings.push(format!("{folder} was not removed from store {store}: {failure}"));
            }
        }
    }
    if kept > 0 {
        let archives = crate::units::counted(kept, "archive has", "archives have");
        done.warnings.push(format!("{archives} expired and stay, for a hold may be about their rows"));
    }
    done.removed = gone.len();
    if !gone.is_empty() {
        let entry = LogEntry {
            kind: LogKind::ArchivesRemoved,
            policy: Some(policy.name.clone()),
            database: Some(policy.database.to_string()),
            run_id: None,
            who: who.to_owned(),
            host: host(),
            detail: json!({
                "archives": gone.iter().map(|found| found.folder.as_str()).collect::<Vec<_>>(),
                "removed": gone.len(), "rows": gone.iter().map(|found| found.manifest.rows).sum::<u64>(),
                "kept_for_holds": kept, "why": "expired",
            }),
        };
        state.log(&entry, now).await?;
    }
    Ok(done)
}

/// A hold on a person may be about any row; nobody can look into an archive to see.
fn may_be_about(hold: &Hold, table: &str) -> bool {
    let name = |text: &str| text.parse::<TableName>().map_or_else(|_| text.to_owned(), |table| table.name);
    match &hold.held {
        Held::Subject(_) => true,
        Held::Rows { table: held, .. } => name(held) == name(table),
    }
}

async fn take_away(config: &Config, found: &Found) -> Result<(), Failure> {
    let name: StoreName = found.store.parse().map_err(|error| Failure::new(format!("{error}")))?;
    let store = open(config, &name).await?;
    within(STORE_WITHIN, remove(store.as_ref(), &found.folder)).await
}
