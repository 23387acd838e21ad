//! Erasures that should have been done, as observations of their policies: what the alert engine makes incidents of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::Row;

use super::super::checks::record;
use super::super::instant::{from_ms, to_ms};
use super::super::{CheckKey, Observation, State, StateError, Status};

/// Who looks, and for what.
const SOURCE: &str = "job";
const CHECK: &str = "erasures";

impl State {
    /// Observes each policy's overdue erasures: when there are others than before, or none any more.
    pub async fn observe_erasures(&self, now: Timestamp) -> Result<(), StateError> {
        let mut found: BTreeMap<String, Observation> = BTreeMap::new();
        let overdue = sqlx::query(
            "SELECT policy, count(*), min(due_ms), sum(state <> 'deferred') FROM erasures
             WHERE state <> 'completed' AND due_ms < ?1 GROUP BY policy",
        );
        for row in overdue.bind(to_ms(now)).fetch_all(&self.pool).await.map_err(|e| self.error(e))? {
            let (policy, count): (String, i64) = (row.get(0), row.get(1));
            // What only a hold keeps is nobody's neglect, and somebody must still know of it.
            let status = if row.get::<i64, _>(3) > 0 { Status::Critical } else { Status::Warning };
            let which = if count == 1 { "an erasure is".to_owned() } else { format!("{count} erasures are") };
            let summary = format!("{which} overdue, since {:.0}", from_ms(row.get(2)));
            let advice = format!("`caretaker privacy erasures {policy}` shows them, and what keeps them");
            let observation =
                Observation { advice: Some(advice), ..Observation::new(key(&policy), status, summary, now) };
            found.insert(observation.key.subject.clone(), observation);
        }
        let before: BTreeMap<String, (Status, String)> = self
            .last_checks(SOURCE, None)
            .await?
            .into_iter()
            .map(|last| last.observation)
            .filter(|last| last.key.name == CHECK)
            .map(|last| (last.key.subject, (last.status, last.summary)))
            .collect();
        for (subject, (status, _)) in &before {
            if *status != Status::Ok && !found.contains_key(subject) {
                let key = CheckKey { source: SOURCE.to_owned(), subject: subject.clone(), name: CHECK.to_owned() };
                found.insert(subject.clone(), Observation::new(key, Status::Ok, "no erasure is overdue", now));
            }
        }
        found.retain(|subject, new| {
            before.get(subject).is_none_or(|(status, said)| (*status, said) != (new.status, &new.summary))
        });
        if found.is_empty() {
            return Ok(());
        }
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        for observation in found.values() {
            record(&mut tx, observation).await.map_err(|e| self.error(e))?;
        }
        tx.commit().await.map_err(|e| self.error(e))
    }
}

fn key(policy: &str) -> CheckKey {
    CheckKey { source: SOURCE.to_owned(), subject: format!("privacy.{policy}"), name: CHECK.to_owned() }
}
