//! The lines of the log as the stores were told them, compared with what stands in it now: a log that was made anew from its
//! first line on shows line by line.

use std::collections::BTreeMap;

use futures::future::join_all;
use futures::stream::{self, StreamExt as _};

use super::seal::unseal;
use super::{Missed, STORE_WITHIN, folder, head, stores};
use crate::archive::codec::{CodecError, Identities, ObjectName};
use crate::config::{Config, StoreName};
use crate::fault::chain;
use crate::state::{Flaw, LogHead, LogRecord, State, StateError};
use crate::store::{self, ObjectKey, Store};

/// Objects of one store read at once.
const AT_ONCE: usize = 8;

/// What came of comparing lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// Anchors whose lines were compared.
    pub compared: usize,
    /// Anchors whose lines are encrypted to others: only their heads could be compared.
    pub sealed: usize,
    /// What differs.
    pub flaws: Vec<Flaw>,
    /// What could not be read.
    pub missed: Vec<Missed>,
}

/// Compares the log with all lines that the stores were told, as far as these keys open them.
pub async fn compare(
    config: &Config,
    state: &State,
    records: &[LogRecord],
    identities: &Identities,
) -> Result<Lines, StateError> {
    let folder = &folder(state).await?;
    let reads =
        stores(config).into_iter().map(|name| async move { (name, told(config, name, folder, identities).await) });
    let (mut lines, mut differences) = (Lines::default(), Differences::default());
    for (name, told) in join_all(reads).await {
        // A store whose folder cannot be listed was named when its heads were read.
        for (head, told) in told.unwrap_or_default() {
            match told {
                Ok(Some(text)) => {
                    lines.compared += 1;
                    differences.look(records, &head, &text, &format!("store {name}"));
                }
                Ok(None) => lines.sealed += 1,
                Err(error) => lines.missed.push(Missed::new(name, format!("the lines up to {}: {error}", head.seq))),
            }
        }
    }
    lines.flaws = differences.flaws();
    Ok(lines)
}

/// An anchor's lines; `None`: they are encrypted to others.
type Told = (LogHead, Result<Option<String>, String>);

async fn told(config: &Config, name: &StoreName, folder: &str, identities: &Identities) -> Result<Vec<Told>, String> {
    let settings = config.stores.get(name).ok_or("it is not in the configuration")?;
    let store = store::open(settings).await.map_err(|error| chain(&error))?;
    let listed = tokio::time::timeout(STORE_WITHIN, store.list(folder)).await.map_err(|late| late.to_string())?;
    let objects = listed.map_err(|error| chain(&error))?;
    let of_lines = objects.into_iter().filter_map(|object| {
        let (stem, end) = object.key.as_str().rsplit_once(".jsonl")?;
        let head = head(&format!("{stem}.json"))?;
        matches!(end, "" | ".age").then_some((head, object.key))
    });
    let store = store.as_ref();
    let reads = of_lines.map(|(head, key)| async move {
        let read = tokio::time::timeout(STORE_WITHIN, open(store, &key, identities)).await;
        (head, read.unwrap_or_else(|_| Err(format!("it did not answer within {} s", STORE_WITHIN.as_secs()))))
    });
    Ok(stream::iter(reads).buffered(AT_ONCE).collect().await)
}

async fn open(store: &dyn Store, key: &ObjectKey, identities: &Identities) -> Result<Option<String>, String> {
    let name = key.as_str().rsplit('/').next().unwrap_or_default().to_owned();
    if ObjectName::parse(&name).encrypted && identities.is_empty() {
        return Ok(None);
    }
    let bytes = store.get(key).await.map_err(|error| chain(&error))?.ok_or("it is gone")?;
    match unseal(name, bytes, identities.clone()).await {
        Ok(text) => String::from_utf8(text).map(Some).map_err(|error| error.to_string()),
        Err(CodecError::WrongIdentity { .. }) => Ok(None),
        Err(error) => Err(chain(&error)),
    }
}

/// What differs, and in which places that is known: several stores are told the same.
#[derive(Default)]
struct Differences(BTreeMap<(u64, String), Vec<String>>);

impl Differences {
    fn add(&mut self, seq: u64, what: String, place: &str) {
        let places = self.0.entry((seq, what)).or_default();
        if !places.iter().any(|known| known == place) {
            places.push(place.to_owned());
        }
    }

    /// Compares the lines of one anchor.
    fn look(&mut self, records: &[LogRecord], head: &LogHead, text: &str, place: &str) {
        let mut last = 0;
        for line in text.lines() {
            let told: LogRecord = match serde_json::from_str(line) {
                Ok(told) => told,
                Err(_) => {
                    self.add(
                        last + 1,
                        "what was written there was changed: it is no line of a log, in".to_owned(),
                        place,
                    );
                    continue;
                }
            };
            last = told.seq;
            if told.hash != told.expected_hash() || (told.seq == head.seq && told.hash != head.hash) {
                self.add(told.seq, "what was written there was changed: its hash is another, in".to_owned(), place);
                continue;
            }
            match records.binary_search_by_key(&told.seq, |record| record.seq) {
                Err(_) => {
                    let what = format!("it is missing: {} by {} of {}, as is known to", told.kind, told.who, told.at);
                    self.add(told.seq, what, place);
                }
                Ok(at) => {
                    let differs = differing(&records[at], &told);
                    // Where only hashes differ, the lines before tell why.
                    if !differs.is_empty() {
                        self.add(told.seq, format!("another {} than was told to", differs.join(", ")), place);
                    }
                }
            }
        }
    }

    fn flaws(self) -> Vec<Flaw> {
        let said = |((seq, what), places): ((u64, String), Vec<String>)| Flaw {
            seq,
            what: format!("{what} {}", places.join(", ")),
        };
        self.0.into_iter().map(said).collect()
    }
}

/// The members that differ, but for the hashes.
fn differing(ours: &LogRecord, theirs: &LogRecord) -> Vec<&'static str> {
    let members = [
        ("instant", ours.at == theirs.at),
        ("kind", ours.kind == theirs.kind),
        ("policy", ours.policy == theirs.policy),
        ("database", ours.database == theirs.database),
        ("run", ours.run_id == theirs.run_id),
        ("person", ours.who == theirs.who),
        ("machine", ours.host == theirs.host),
        ("detail", ours.detail == theirs.detail),
    ];
    members.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
}
