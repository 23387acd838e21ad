//! Rows that were archived before they went: where they lie in the stores, who can read them, and when they go in turn.
//!
//! Below `_caretaker/archives/<policy>/<rule>/<id>/` each archive is two objects: the rows, a JSON document a line,
//! compressed and encrypted; then `manifest.json`. As with backups, what has no manifest does not exist. Nothing that has
//! one is ever written again.

mod expire;
mod list;
mod manifest;
mod write;

use std::sync::Arc;
use std::time::Duration;

pub use expire::{Expired, expire};
pub use list::{Found, Listing, Missed, find, list};
pub use manifest::{Column, Manifest};
pub use write::{Shelf, Volume};

use crate::archive::codec::Recipient;
use crate::config::{Config, PrivacyPolicy, StoreName};
use crate::run::Failure;
use crate::store::{self, Store};

/// The folder in the stores. No database can be called so.
const FOLDER: &str = "_caretaker/archives";

/// The object that makes an archive exist: written last, deleted first.
const MANIFEST: &str = "manifest.json";

/// How long a store may take to list what it holds, and for each object of a few kilobytes.
const STORE_WITHIN: Duration = Duration::from_secs(30);

/// `_caretaker/archives/ferpa`
fn folder(policy: &str) -> String {
    format!("{FOLDER}/{policy}")
}

/// A rule's name as a folder: two that come to the same share it, for each manifest names its rule.
fn slug(rule: &str) -> String {
    let words = rule.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    if slug.is_empty() { "rule".to_owned() } else { slug.chars().take(60).collect() }
}

/// Whom archives of a policy's rule are encrypted to: whoever may read the database's backups, and whom the rule names.
///
/// # Errors
///
/// When there is nobody: an archive is never written in clear.
pub fn recipients(config: &Config, policy: &PrivacyPolicy, named: &[String]) -> Result<Vec<Recipient>, Failure> {
    let keys = config.recipients(Some(&policy.database)).into_iter().chain(named.iter().map(String::as_str));
    let mut keys: Vec<&str> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Err(Failure::new(format!("there is nobody to encrypt archives of {} to", policy.database))
            .hint("set `encrypt_to` in its `[backup.*]`, or in the rule's `archive`"));
    }
    keys.into_iter().map(|key| key.parse::<Recipient>().map_err(Failure::from)).collect()
}

/// Opens one store of the configuration.
async fn open(config: &Config, name: &StoreName) -> Result<Arc<dyn Store>, Failure> {
    let settings = config.stores.get(name).ok_or_else(|| {
        Failure::new(format!("store {name} is not in the configuration"))
            .hint("put it back, so that what lies there can be read and removed")
    })?;
    Ok(store::open(settings).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rules_name_is_a_folder_and_leads_nowhere_else() {
        for (name, folder) in [
            ("old answers", "old-answers"),
            ("../../etc", "etc"),
            ("Älteres §7", "lteres-7"),
            ("旧", "rule"),
            ("a/b\0c", "a-b-c"),
        ] {
            assert_eq!(slug(name), folder);
        }
    }
}
