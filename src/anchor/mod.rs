//! What is written to the stores beside the backups: where the disposition log stood, and the ledger of erasures.
//!
//! Where the disposition log stood, and what stood in it, written down in the stores after every operation: what is cut off
//! its end, or a state store that is put back to what it was, shows against them.
//!
//! Below `_caretaker/log/<log>/` each anchor is two objects that are never replaced: `<line>-<hash>.jsonl` with the lines since
//! the last one (`.age` where backups are encrypted), then `<line>-<hash>.json`. Its name is all that checking the log needs,
//! so that a listing does.
//!
//! The ledger ([`ledger`]) is there so that whoever was erased can be erased again from what is restored.

pub mod ledger;
mod lines;
pub mod reach;
mod read;
pub mod seal;
mod span;
mod told;
mod write;

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest, Sha256};

pub use lines::{Lines, compare};
pub use read::{Anchors, read};
pub use write::write;

use crate::config::{Config, StoreName};
use crate::run::host;
use crate::state::{LogHead, State, StateError};

/// The folder in the stores. No database can be called so.
const FOLDER: &str = "_caretaker/log";

/// A store that could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// The store.
    pub store: String,
    /// Why.
    pub error: String,
}

impl Missed {
    /// A store, and why.
    pub fn new(store: &StoreName, error: impl Into<String>) -> Self {
        Self { store: store.to_string(), error: error.into() }
    }
}

/// The stores that policies name; without a policy there are none.
fn stores(config: &Config) -> BTreeSet<&StoreName> {
    config.privacy.values().flat_map(|policy| &policy.stores).collect()
}

/// The folder of this machine's log. Its name is made of the machine's and the state directory's, so that an empty state
/// store in the same place finds it again, and kept, so that it outlives a change of either.
async fn folder(state: &State) -> Result<String, StateError> {
    let of = format!("{}\0{}", host(), state.dir().display());
    let name = state.log_name(&hex::encode(&Sha256::digest(of)[..8])).await?;
    Ok(format!("{FOLDER}/{name}"))
}

/// `000000000012-<hash>`
fn stem(head: &LogHead) -> String {
    format!("{:012}-{}", head.seq, head.hash)
}

/// What an anchor's name says; `None`: it is none.
fn head(key: &str) -> Option<LogHead> {
    let (seq, hash) = key.rsplit('/').next()?.strip_suffix(".json")?.split_once('-')?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some(LogHead { seq: seq.parse().ok()?, hash: hash.to_owned() }).filter(|_| is_hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchors_name_is_read_as_it_was_written() {
        let written = LogHead { seq: 12, hash: "0f".repeat(32) };
        assert_eq!(head(&format!("{FOLDER}/x/{}.json", stem(&written))), Some(written));
        for no in ["000000000012-0f0f.json", "x.json", "000000000012.jsonl", ""] {
            assert_eq!(head(no), None, "{no}");
        }
    }
}
