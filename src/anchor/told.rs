//! What one store was told of the log: each anchor's document, and its lines as far as keys open them.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _};
use serde::Deserialize;

use super::head;
use super::reach::{self, in_time};
use super::seal::unseal;
use crate::archive::codec::{CodecError, Identities, ObjectName};
use crate::config::{Config, StoreName};
use crate::fault::chain;
use crate::state::LogHead;
use crate::store::{ObjectKey, Store};

/// Anchors of one store read at once.
const AT_ONCE: usize = 8;

/// An anchor as it stands in a store.
pub(super) struct Told {
    /// What the objects' names say.
    pub head: LogHead,
    /// Its document, or why it cannot be read; `None`: there is none, as where a writer was cut off before it.
    pub document: Option<Result<Document, String>>,
    /// Its lines by their object's name, or why they cannot be read; `None`: they are encrypted to others.
    pub lines: BTreeMap<String, Result<Option<String>, String>>,
}

/// What stands in an anchor's document.
#[derive(Deserialize)]
pub(super) struct Document {
    /// Where the log stood.
    pub head: LogHead,
    /// The first line that is in `lines`.
    pub first: u64,
    /// The name of the object with the lines.
    pub lines: String,
}

/// An anchor's objects.
#[derive(Default)]
struct Objects {
    document: Option<ObjectKey>,
    lines: Vec<ObjectKey>,
}

/// Reads all anchors in a store, in the order of the log.
pub(super) async fn told(
    config: &Config,
    name: &StoreName,
    folder: &str,
    identities: &Identities,
) -> Result<Vec<Told>, String> {
    let store = reach::open(config, name).await?;
    let listed = in_time(async { store.list(folder).await.map_err(|error| chain(&error)) }).await?;
    let mut anchors: BTreeMap<String, (LogHead, Objects)> = BTreeMap::new();
    for object in listed {
        let Some((stem, end)) = object.key.as_str().rsplit_once(".json") else { continue };
        let Some(head) = head(&format!("{stem}.json")) else { continue };
        let (_, objects) = anchors.entry(stem.to_owned()).or_insert_with(|| (head, Objects::default()));
        match end {
            "" => objects.document = Some(object.key),
            "l" | "l.age" => objects.lines.push(object.key),
            _ => {}
        }
    }
    let store = store.as_ref();
    let reads = anchors.into_values().map(|(head, objects)| async move {
        let mut told = Told { head, document: None, lines: BTreeMap::new() };
        if let Some(key) = &objects.document {
            told.document = Some(in_time(document(store, key)).await);
        }
        for key in &objects.lines {
            told.lines.insert(object_name(key), in_time(open(store, key, identities)).await);
        }
        told
    });
    Ok(stream::iter(reads).buffered(AT_ONCE).collect().await)
}

fn object_name(key: &ObjectKey) -> String {
    key.as_str().rsplit('/').next().unwrap_or_default().to_owned()
}

async fn document(store: &dyn Store, key: &ObjectKey) -> Result<Document, String> {
    let bytes = store.get(key).await.map_err(|error| chain(&error))?.ok_or("it is gone")?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{} is none: {error}", object_name(key)))
}

async fn open(store: &dyn Store, key: &ObjectKey, identities: &Identities) -> Result<Option<String>, String> {
    let name = object_name(key);
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
