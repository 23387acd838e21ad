//! The key of pseudonyms and of the ledger in the stores, encrypted to whoever may read the backups: without it nobody can
//! tell on a new machine who was erased.
//!
//! `_caretaker/keys/<policy>-<key>-<recipients>.key.age` holds the key as it stands in its file.

use std::collections::BTreeSet;

use futures::future::join_all;
use sha2::{Digest, Sha256};

use crate::anchor::Missed;
use crate::anchor::reach::{in_time, open};
use crate::anchor::seal::{recipients, seal, unseal};
use crate::archive::codec::{Identities, Recipient};
use crate::config::{Config, PrivacyPolicy, StoreName};
use crate::fault::chain;
use crate::privacy::key::HmacKey;
use crate::state::State;
use crate::store::ObjectKey;

/// The folder in the stores.
const FOLDER: &str = "_caretaker/keys";

/// Keeps the policy's key in its stores, where the database's backups are encrypted. Returns the stores that could not take
/// it; they are asked again next time.
pub async fn keep(config: &Config, state: &State, policy: &PrivacyPolicy, key: &HmacKey) -> Vec<Missed> {
    let recipients = match recipients(config, Some(&policy.database)) {
        // Beside plain backups a plain key would only be one more thing to lose.
        Ok(recipients) if recipients.is_empty() => return Vec::new(),
        Ok(recipients) => recipients,
        Err(error) => return policy.stores.iter().map(|store| Missed::new(store, &*error)).collect(),
    };
    let (object, recipients) = (&format!("{}-{}.key.age", stem(policy, &key.id()), digest(&recipients)), &recipients);
    let kept = policy.stores.iter().map(|store| async move {
        let put = in_time(put(config, state, store, object, key, recipients)).await;
        put.err().map(|error| {
            tracing::warn!(%store, error, "the HMAC key is not escrowed here; tried again next time");
            Missed::new(store, error)
        })
    });
    join_all(kept).await.into_iter().flatten().collect()
}

async fn put(
    config: &Config,
    state: &State,
    name: &StoreName,
    object: &str,
    key: &HmacKey,
    recipients: &[Recipient],
) -> Result<(), String> {
    if state.is_told(name.as_str(), object).await.map_err(|error| chain(&error))? {
        return Ok(());
    }
    let store = open(config, name).await?;
    let sealed = seal(format!("{}\n", key.expose()).into_bytes(), recipients.to_vec()).await?;
    store.put_new(&ObjectKey::new(&[FOLDER, object]), sealed).await.map_err(|error| chain(&error))?;
    store.close().await;
    state.set_told(name.as_str(), object, 1).await.map_err(|error| chain(&error))
}

/// The policy's key of this id, from the first of these stores that holds one which can be opened. Otherwise what kept it
/// from that.
pub async fn find(
    config: &Config,
    stores: &BTreeSet<StoreName>,
    policy: &PrivacyPolicy,
    id: &str,
    identities: &Identities,
) -> Result<HmacKey, Vec<String>> {
    let mut why = Vec::new();
    for name in stores {
        match in_time(find_in(config, name, policy, id, identities)).await {
            Ok(Some(key)) => return Ok(key),
            Ok(None) => why.push(format!("store {name} holds none")),
            Err(error) => why.push(format!("store {name}: {error}")),
        }
    }
    Err(why)
}

async fn find_in(
    config: &Config,
    name: &StoreName,
    policy: &PrivacyPolicy,
    id: &str,
    identities: &Identities,
) -> Result<Option<HmacKey>, String> {
    let store = open(config, name).await?;
    let wanted = format!("{FOLDER}/{}-", stem(policy, id));
    let mut trouble = None;
    for object in store.list(FOLDER).await.map_err(|error| chain(&error))? {
        if !object.key.as_str().starts_with(&wanted) {
            continue;
        }
        let Some(sealed) = store.get(&object.key).await.map_err(|error| chain(&error))? else { continue };
        match unseal(object.key.to_string(), sealed, identities.clone()).await {
            Ok(text) => {
                let key = std::str::from_utf8(&text).ok().and_then(HmacKey::parse).filter(|key| key.id() == id);
                return key.map(Some).ok_or_else(|| format!("{} is not that key", object.key));
            }
            Err(error) => trouble = Some(format!("{}: {}", object.key, chain(&error))),
        }
    }
    store.close().await;
    trouble.map_or(Ok(None), Err)
}

fn stem(policy: &PrivacyPolicy, id: &str) -> String {
    format!("{}-{id}", policy.name)
}

/// Other recipients, another object.
fn digest(recipients: &[Recipient]) -> String {
    let list: Vec<String> = recipients.iter().map(ToString::to_string).collect();
    hex::encode(&Sha256::digest(list.join("\n"))[..4])
}
