//! What is to be applied again, found before anything is restored.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;

use super::{Group, escrow};
use crate::anchor::ledger::{self, Ledger};
use crate::archive::codec::Identities;
use crate::config::{Config, PrivacyPolicy, StoreName};
use crate::privacy::approval::Hand;
use crate::privacy::key::HmacKey;
use crate::privacy::session::read_key;
use crate::run::{Failure, Refusal, host};
use crate::state::{Erasure, ErasureState, LogEntry, LogKind, State};

/// The erasures of a database that a copy of it may not know.
#[derive(Default)]
pub struct Replay {
    pub(super) groups: Vec<Group>,
    /// What other machines have written that this one did not know.
    news: Vec<Erasure>,
    database: String,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Reads the ledger of a database, here and in the stores, and finds the keys of its HMACs. `besides`: stores that are read
/// besides those of the policies, as far as they can be. Nothing is written.
///
/// # Errors
///
/// A refusal where the ledger or a key is not to be had: who was erased cannot be told.
pub async fn prepare(
    config: &Config,
    state: &State,
    database: &str,
    besides: &[StoreName],
    identities: &Identities,
) -> Result<Replay, Failure> {
    let policies =
        config.privacy.values().filter(|policy| policy.database.as_str() == database && policy.subject.is_some());
    let of_policies: BTreeSet<StoreName> = policies.flat_map(|policy| &policy.stores).cloned().collect();
    let stores = of_policies.iter().chain(besides).cloned().collect();
    let ledger = ledger::read(config, state, database, &stores, identities).await?;
    let mut replay = Replay { database: database.to_owned(), news: ledger.news.clone(), ..Replay::default() };
    replay.warnings = whole(&ledger, &of_policies, state).await?;
    let (deferred, wanted): (Vec<Erasure>, Vec<Erasure>) =
        ledger.erasures.into_iter().partition(|erasure| erasure.state == ErasureState::Deferred);
    if !deferred.is_empty() {
        let count = crate::units::counted(deferred.len(), "erasure is", "erasures are");
        replay.warnings.push(format!("{count} deferred by holds: these people are in the copy as they were"));
    }
    let mut groups: BTreeMap<(String, String), Vec<Erasure>> = BTreeMap::new();
    for erasure in wanted {
        groups.entry((erasure.policy.clone(), erasure.key_id.clone())).or_default().push(erasure);
    }
    for ((policy, key_id), erasures) in groups {
        let policy = of_name(config, &policy, database, erasures.len())?;
        let key = key(config, policy, &key_id, &stores, identities).await?;
        replay.groups.push(Group { policy: policy.clone(), key, erasures });
    }
    Ok(replay)
}

impl Replay {
    /// Takes over what other machines have written, and the keys it needs, so that this machine knows both from now on.
    pub async fn adopt(&self, config: &Config, state: &State, hand: &Hand<'_>) -> Result<(), Failure> {
        for group in &self.groups {
            let (policy, key, dir) = (group.policy.clone(), group.key.clone(), config.daemon.state_dir.clone());
            let installed = tokio::task::spawn_blocking(move || key.install(&policy, &dir)).await;
            installed.map_err(|panic| Failure::new(panic.to_string()))??;
        }
        if self.news.is_empty() {
            return Ok(());
        }
        let entry = LogEntry {
            kind: LogKind::LedgerAdopted,
            policy: None,
            database: Some(self.database.clone()),
            run_id: None,
            who: hand.who.to_owned(),
            host: host(),
            detail: json!({"erasures": self.news.len()}),
        };
        Ok(state.adopt_erasures(&self.news, &entry, Timestamp::now()).await?)
    }
}

fn refused(message: String) -> Failure {
    Failure { refused: Some(Refusal::Safety), ..Failure::new(message) }
}

const WITHOUT: &str = "`--without-replay` restores all the same, with whoever was erased since; that is logged";

/// Whether all was read that must be; what was not and need not be.
async fn whole(ledger: &Ledger, of_policies: &BTreeSet<StoreName>, state: &State) -> Result<Vec<String>, Failure> {
    let mut warnings = Vec::new();
    for missed in &ledger.missed {
        let told = format!("the ledger of erasures is not read from store {}: {}", missed.store, missed.error);
        // What this machine has written there it knows itself; of one that it never wrote to it knows nothing.
        let must = of_policies.iter().any(|store| store.as_str() == missed.store);
        if must && (ledger.asked == 0 || state.anchored(&missed.store).await? == 0) {
            return Err(refused(format!("{told}; so who was erased is not known")).hint(WITHOUT));
        }
        warnings.push(told);
    }
    if let Some(first) = ledger.unread.first() {
        let count = crate::units::counted(ledger.unread.len(), "erasure", "erasures");
        let message = format!("{count} in the ledger cannot be read, so who was erased is not known: {first}");
        return Err(refused(message).hint(format!("give `--identity` with the key of the backups; {WITHOUT}")));
    }
    Ok(warnings)
}

fn of_name<'a>(config: &'a Config, name: &str, database: &str, erasures: usize) -> Result<&'a PrivacyPolicy, Failure> {
    let found = config.privacy.get(name);
    found.filter(|policy| policy.database.as_str() == database && policy.subject.is_some()).ok_or_else(|| {
        let count = crate::units::counted(erasures, "person was", "people were");
        refused(format!("{count} erased under the policy {name}, which the configuration does not have for {database}"))
            .hint(format!("put `[privacy.{name}]` with its subject back; {WITHOUT}"))
    })
}

/// The key of this id: the policy's, else the escrowed one.
async fn key(
    config: &Config,
    policy: &PrivacyPolicy,
    id: &str,
    stores: &BTreeSet<StoreName>,
    identities: &Identities,
) -> Result<HmacKey, Failure> {
    let own = read_key(config, policy, HmacKey::existing).await;
    if let Ok(Some(key)) = &own
        && key.id() == id
    {
        return Ok(key.clone());
    }
    escrow::find(config, stores, policy, id, identities).await.map_err(|why| {
        let own = match &own {
            Ok(Some(other)) => format!("the policy's key is another one ({})", other.id()),
            Ok(None) => "there is no key file".to_owned(),
            Err(error) => error.message.clone(),
        };
        let message = format!(
            "the HMAC key {id} of the policy {} is not to be had, so who was erased is not known: {own}; {}",
            policy.name,
            why.join("; ")
        );
        let hint = "put the former key back (`hmac_key_file`), or give `--identity` with the key of the backups";
        refused(message).hint(format!("{hint}; {WITHOUT}"))
    })
}
