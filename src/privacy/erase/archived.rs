//! Archives of rows that may hold the person: nobody can look into them to see.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{Config, DatabaseName, PrivacyPolicy, TableName};
use crate::records::{self, Found};
use crate::state::{State, StateError};

/// Archives of one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArchivesLeft {
    /// Under which policy.
    pub policy: String,
    /// By which rule.
    pub rule: String,
    /// Of which table.
    pub table: String,
    /// In which store.
    pub store: String,
    /// How many.
    pub count: usize,
    /// How many rows are in them, of whomever.
    pub rows: u64,
    /// When the last of them goes; `None`: one stays until somebody deletes it.
    pub last_expires: Option<Timestamp>,
}

/// The archives of tables of which the policies on a database say that people stand in them; and the stores that could not
/// be asked.
pub(super) async fn look(
    config: &Config,
    database: &DatabaseName,
    state: &State,
) -> Result<(Vec<ArchivesLeft>, Vec<String>), StateError> {
    let policies: Vec<&PrivacyPolicy> = config.privacy.values().filter(|policy| policy.database == *database).collect();
    let tables: BTreeSet<&str> =
        policies.iter().flat_map(|policy| of_people(policy)).map(|it| it.name.as_str()).collect();
    let (mut left, mut missed) = (BTreeMap::new(), BTreeSet::new());
    for policy in policies {
        let listing = records::find(config, state, &policy.name).await?;
        missed.extend(listing.missed.into_iter().map(|missed| format!("{}: {}", missed.store, missed.error)));
        for Found { store, manifest, .. } in listing.found {
            let is_theirs = manifest.table.parse::<TableName>().is_ok_and(|table| tables.contains(table.name.as_str()));
            if !is_theirs || manifest.database != database.as_str() {
                continue;
            }
            let of = (manifest.policy.clone(), manifest.rule.clone(), manifest.table.clone(), store.clone());
            let one = left.entry(of).or_insert_with(|| ArchivesLeft {
                policy: manifest.policy,
                rule: manifest.rule,
                table: manifest.table,
                store,
                count: 0,
                rows: 0,
                last_expires: Some(Timestamp::MIN),
            });
            one.count += 1;
            one.rows += manifest.rows;
            one.last_expires = one.last_expires.zip(manifest.expires).map(|(one, other)| one.max(other));
        }
    }
    Ok((left.into_values().collect(), missed.into_iter().collect()))
}

/// The tables in which a policy's people stand.
fn of_people(policy: &PrivacyPolicy) -> Vec<&TableName> {
    let Some(subject) = &policy.subject else { return Vec::new() };
    let references = subject.references.iter().map(|reference| &reference.table);
    std::iter::once(&subject.table).chain(references).collect()
}
