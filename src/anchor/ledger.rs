//! The ledger of erasures in the stores, so that a new machine has it.
//!
//! Below `_caretaker/erasures/<database>/` each step of an erasure is an object that is never replaced:
//! `<erasure>.<version>-<state>.json`, with `.age` where the database's backups are encrypted. The name tells what is
//! there; only who may read the backups can read it.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use serde::{Deserialize, Serialize};

use super::Missed;
use super::reach::{in_time, open};
use super::seal::{recipients, seal, unseal};
use crate::archive::codec::{CodecError, Identities, object_name};
use crate::config::{Compression, Config, DatabaseName, StoreName};
use crate::fault::chain;
use crate::state::{Erasure, State};
use crate::store::{ObjectKey, Store};

/// The folder in the stores.
const FOLDER: &str = "_caretaker/erasures";

/// The newest form of such an object that is understood.
const FORMAT_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document {
    format_version: u32,
    #[serde(flatten)]
    erasure: Erasure,
}

/// What this machine and the stores know of a database's erasures.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Each as it stood last.
    pub erasures: Vec<Erasure>,
    /// Those of them that this machine did not know, or knew less of.
    pub news: Vec<Erasure>,
    /// Stores that were asked.
    pub asked: usize,
    /// Stores that could not be asked.
    pub missed: Vec<Missed>,
    /// Erasures that a store tells of and that cannot be read, and why.
    pub unread: Vec<String>,
}

/// Writes to a store what it does not know yet.
pub(super) async fn tell(config: &Config, state: &State, store: &dyn Store) -> Result<(), String> {
    let name = store.name();
    for erasure in state.untold_erasures(name.as_str()).await.map_err(|error| chain(&error))? {
        // One of a policy that is no more stands where it was told while it was.
        if !config.privacy.get(&erasure.policy).is_some_and(|policy| policy.stores.contains(name)) {
            continue;
        }
        let database: Option<DatabaseName> = erasure.database.parse().ok();
        let recipients = recipients(config, database.as_ref())?;
        let object = format!("{}.{:04}-{}.json", erasure.id, erasure.version, erasure.state.as_str());
        let object = object_name(&object, Compression::None, !recipients.is_empty());
        let key = ObjectKey::new(&[FOLDER, &erasure.database, &object]);
        let (id, version) = (erasure.id.clone(), erasure.version);
        let document = Document { format_version: FORMAT_VERSION, erasure };
        let text = serde_json::to_vec_pretty(&document).map_err(|error| error.to_string())?;
        store.put_new(&key, seal(text, recipients).await?).await.map_err(|error| chain(&error))?;
        state.set_told(name.as_str(), &id, version).await.map_err(|error| chain(&error))?;
    }
    Ok(())
}

/// Reads the ledger of a database: this machine's, and what these stores know beyond it.
pub async fn read(
    config: &Config,
    state: &State,
    database: &str,
    stores: &BTreeSet<StoreName>,
    identities: &Identities,
) -> Result<Ledger, crate::state::StateError> {
    let mut known: BTreeMap<String, Erasure> =
        state.erasures(None).await?.into_iter().map(|one| (one.id.clone(), one)).collect();
    known.retain(|_, erasure| erasure.database == database);
    let mut ledger = Ledger::default();
    let (folder, versions) = (&format!("{FOLDER}/{database}"), &versions(&known));
    let readings = stores.iter().map(|name| async move {
        let reading = newer(config, name, folder, versions, identities);
        (name, in_time(reading).await)
    });
    let mut news: BTreeMap<String, Erasure> = BTreeMap::new();
    for (name, read) in join_all(readings).await {
        let (found, unread) = match read {
            Err(error) => {
                ledger.missed.push(Missed::new(name, error));
                continue;
            }
            Ok(read) => read,
        };
        ledger.asked += 1;
        ledger.unread.extend(unread.into_iter().map(|why| format!("store {name}: {why}")));
        for erasure in found {
            if news.get(&erasure.id).is_none_or(|other| other.version < erasure.version) {
                news.insert(erasure.id.clone(), erasure);
            }
        }
    }
    ledger.news = news.values().cloned().collect();
    known.extend(news);
    ledger.erasures = known.into_values().collect();
    Ok(ledger)
}

fn versions(known: &BTreeMap<String, Erasure>) -> BTreeMap<String, u32> {
    known.iter().map(|(id, erasure)| (id.clone(), erasure.version)).collect()
}

/// What a store knows beyond these versions: erasures, and those that it could not be read of.
async fn newer(
    config: &Config,
    name: &StoreName,
    folder: &str,
    known: &BTreeMap<String, u32>,
    identities: &Identities,
) -> Result<(Vec<Erasure>, Vec<String>), String> {
    let store = open(config, name).await?;
    let mut newest: BTreeMap<String, (u32, ObjectKey)> = BTreeMap::new();
    for object in store.list(folder).await.map_err(|error| chain(&error))? {
        let Some((id, version)) = parse(object.key.as_str()) else { continue };
        if known.get(id).is_none_or(|known| *known < version) && newest.get(id).is_none_or(|(old, _)| *old < version) {
            newest.insert(id.to_owned(), (version, object.key.clone()));
        }
    }
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    for (id, (_, key)) in newest {
        let bytes = store.get(&key).await.map_err(|error| chain(&error))?;
        let bytes = bytes.ok_or_else(|| format!("{key} was listed, and is not there"))?;
        match understand(&id, &key, bytes, identities).await {
            Ok(erasure) => found.push(erasure),
            Err(why) => unread.push(format!("{key}: {why}")),
        }
    }
    store.close().await;
    Ok((found, unread))
}

async fn understand(
    id: &str,
    key: &ObjectKey,
    bytes: bytes::Bytes,
    identities: &Identities,
) -> Result<Erasure, String> {
    let text = unseal(key.to_string(), bytes, identities.clone()).await.map_err(|error| match error {
        CodecError::NoIdentity => "it is encrypted, and no identity was given".to_owned(),
        error => chain(&error),
    })?;
    let document: Document = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    if document.format_version > FORMAT_VERSION {
        return Err(format!("written in format {} by a newer Caretaker", document.format_version));
    }
    if document.erasure.id != id {
        return Err("it is about another erasure than its name says".to_owned());
    }
    Ok(document.erasure)
}

/// The erasure and the version that an object's name tells; `None`: it is none.
fn parse(key: &str) -> Option<(&str, u32)> {
    let (id, rest) = key.rsplit('/').next()?.split_once('.')?;
    let (version, _) = rest.split_once('-')?;
    uuid::Uuid::parse_str(id).ok()?;
    Some((id, version.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_objects_name_tells_which_erasure_it_is_of_and_how_new() {
        let id = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
        for (name, version) in [("0001-pending.json", Some(1)), ("0012-completed.json.age", Some(12)), ("x.json", None)]
        {
            let key = format!("_caretaker/erasures/app/{id}.{name}");
            assert_eq!(parse(&key), version.map(|version| (id, version)), "{name}");
        }
        assert_eq!(parse("_caretaker/erasures/app/readme.0001-x.json"), None);
    }
}
