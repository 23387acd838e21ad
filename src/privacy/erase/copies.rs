//! Copies of the database that Caretaker itself has made outside the stores: by the disposition log, which knows where to.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::DatabaseName;
use crate::run::host;
use crate::state::{LogKind, State, StateError};

/// A copy that may still be there. `caretaker privacy replay` erases from it what was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyLeft {
    /// Where to: a database, a file, a folder.
    pub into: String,
    /// On which machine it was made.
    pub host: String,
    /// Of which backup; `None`: it was one by hand.
    pub backup: Option<String>,
    /// When, at last.
    pub at: Timestamp,
}

/// The copies of a database. Files of this machine that are gone are left out; of databases nobody knows.
pub(super) async fn look(database: &DatabaseName, state: &State) -> Result<Vec<CopyLeft>, StateError> {
    let mut copies: BTreeMap<(String, String), CopyLeft> = BTreeMap::new();
    // A restore that failed, or was killed, may have left something as well.
    for kind in [LogKind::RestoreStarted, LogKind::BackupFetched] {
        for line in state.logged_of(kind, database.as_str()).await? {
            let of = |key: &str| line.detail[key].as_str().map(str::to_owned);
            let Some(into) = of("into") else { continue };
            let copy = CopyLeft { into: into.clone(), host: line.host.clone(), backup: of("backup"), at: line.at };
            copies.insert((line.host, into), copy);
        }
    }
    let is_gone =
        |copy: &CopyLeft| copy.into.starts_with('/') && copy.host == host() && !Path::new(&copy.into).exists();
    Ok(copies.into_values().filter(|copy| !is_gone(copy)).collect())
}
