//! Erasures applied again to a copy that was made before them, so that nobody comes back with a backup.
//!
//! What is to be applied is found before anything is restored ([`prepare()`]): without the ledger or the key of its HMACs
//! nothing can be said of a copy, and nothing is restored.

pub mod escrow;
mod fit;
mod prepare;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

pub use prepare::{Replay, prepare};

use super::approval::Hand;
use super::erase::{Erasing, Person};
use super::ground::Purpose;
use super::key::HmacKey;
use super::session::{Place, Session};
use crate::config::{Config, PrivacyPolicy, SubjectRow};
use crate::run::{Failure, Refusal};
use crate::state::{Erasure, LogKind, State};

/// Erasures under one policy whose HMACs one key has made.
pub struct Group {
    policy: PrivacyPolicy,
    key: HmacKey,
    erasures: Vec<Erasure>,
}

/// A copy of a database.
pub struct Copy {
    /// Where it is.
    pub place: Place,
    /// What the log calls it.
    pub name: String,
    /// The instant whose data it holds, where that is known.
    pub snapshot_at: Option<Timestamp>,
}

/// What applying a policy's erasures again has come to.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// The policy.
    pub policy: String,
    /// How many erasures were looked for.
    pub erasures: usize,
    /// How many of these people stood in the copy.
    pub people: usize,
    /// Rows that are gone or changed.
    pub rows: u64,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

impl Replay {
    /// How many erasures there are to apply.
    pub fn count(&self) -> usize {
        self.groups.iter().map(|group| group.erasures.len()).sum()
    }

    /// Applies them to a copy, and logs it.
    ///
    /// # Errors
    ///
    /// Somebody may be left: the copy is not to be used.
    pub async fn apply(
        &self,
        config: &Config,
        state: &State,
        copy: &Copy,
        hand: &Hand<'_>,
    ) -> Result<Vec<Replayed>, Failure> {
        let mut done = Vec::new();
        for group in &self.groups {
            let replayed = group.apply(config, state, copy, hand).await.map_err(|failure| {
                let message =
                    format!("the erasures under {} are not applied again: {}", group.policy.name, failure.message);
                Failure { message, ..failure }
            })?;
            let detail = json!({
                "into": copy.name, "erasures": replayed.erasures, "people": replayed.people, "rows": replayed.rows,
            });
            let entry = hand.entry(&group.policy, LogKind::ErasuresReplayed, detail);
            state.log(&entry, Timestamp::now()).await?;
            done.push(replayed);
        }
        Ok(done)
    }
}

impl Group {
    async fn apply(&self, config: &Config, state: &State, copy: &Copy, hand: &Hand<'_>) -> Result<Replayed, Failure> {
        let mut session = Session::open_at(copy.place.clone(), &self.policy, self.key.clone(), Purpose::Work).await?;
        let (fitting, mut warnings) = fit::fit(&session.seen.setting(&self.policy, session.ground.as_ref()))?;
        warnings.extend(self.forgotten(&session));
        let (mut people, mut rows) = (0, 0);
        if let Some(policy) = &fitting {
            let hmacs: Vec<&str> = self.erasures.iter().map(|erasure| erasure.subject_hmac.as_str()).collect();
            let setting = session.seen.setting(policy, session.ground.as_ref());
            let ground = session.ground.as_mut();
            let erasing = Erasing { config, policy: &self.policy, state, hand };
            let mut found = Person::again(ground, &setting, &hmacs).await?;
            // Asked for by mistake, and refused: nobody.
            found.retain(|_, person| !person.is_tombstone(&setting));
            people = found.len();
            warnings.extend(copy.snapshot_at.and_then(|at| self.given_again(found.keys(), at)));
            let mut todo: Vec<&Person> = found.values().collect();
            let left = loop {
                let mut left = Vec::new();
                for person in &todo {
                    match erasing.again(ground, &setting, person).await {
                        Ok(more) => rows += more,
                        // One who cannot be erased does not keep the others; and may be, once they are gone.
                        Err(failure) => left.push((*person, failure)),
                    }
                }
                if left.is_empty() || left.len() == todo.len() {
                    break left;
                }
                todo = left.iter().map(|(person, _)| *person).collect();
            };
            if let Some((Person { hmac, .. }, first)) = left.first() {
                let refused = left.iter().all(|(_, failure)| failure.refused.is_some()).then_some(Refusal::Safety);
                let count = crate::units::counted(left.len(), "person is", "people are");
                let message = format!("{count} still in the copy; {}…: {}", &hmac[..12], first.message);
                return Err(Failure { refused, hint: first.hint.clone(), ..Failure::new(message) });
            }
        }
        Ok(Replayed { policy: self.policy.name.clone(), erasures: self.erasures.len(), people, rows, warnings })
    }

    /// People who stand in a copy that was made after they were erased: their keys may be somebody else's by then.
    fn given_again<'a>(&self, found: impl Iterator<Item = &'a String>, snapshot_at: Timestamp) -> Option<String> {
        // Where the row stays, its key stands in every backup.
        let stays = self.policy.subject.as_ref().is_some_and(|subject| subject.row != SubjectRow::Delete);
        let before = |hmac: &&String| {
            let theirs = self.erasures.iter().filter(|erasure| erasure.subject_hmac == **hmac);
            theirs.filter_map(|erasure| erasure.completed).max().is_some_and(|at| at < snapshot_at)
        };
        let count = if stays { 0 } else { found.filter(before).count() };
        (count > 0).then(|| {
            let people = crate::units::counted(count, "person was", "people were");
            format!(
                "{people} erased before the backup was made and stood in it again: are keys given to somebody else?"
            )
        })
    }

    /// Tables of the copy that an erasure reached then and that the policy does not name any more.
    fn forgotten(&self, session: &Session) -> Vec<String> {
        let certificates = self.erasures.iter().filter_map(|erasure| erasure.certificate.as_ref());
        let references = certificates.filter_map(|certificate| certificate["references"].as_array()).flatten();
        let mut reached: Vec<&str> = references.filter_map(|reference| reference["table"].as_str()).collect();
        reached.sort_unstable();
        reached.dedup();
        let setting = session.seen.setting(&self.policy, session.ground.as_ref());
        let subject = self.policy.subject.as_ref();
        let named: Vec<String> = subject
            .into_iter()
            .flat_map(|subject| {
                let queue = subject.queue.iter().map(|queue| &queue.table);
                std::iter::once(&subject.table).chain(subject.references.iter().map(|one| &one.table)).chain(queue)
            })
            .filter_map(|name| setting.table(name).ok())
            .map(|table| table.relation.to_string())
            .collect();
        let there = |name: &str| session.seen.schema.tables.iter().any(|table| table.relation.to_string() == name);
        let forgotten = reached.into_iter().filter(|table| there(table) && !named.iter().any(|name| name == table));
        forgotten
            .map(|table| format!("erasures once reached `{table}`, which the policy does not name any more"))
            .collect()
    }
}
