//! What is seen of a policy's queue, as an observation of the policy.

use jiff::Timestamp;

use super::super::checks::record;
use super::super::{CheckKey, Observation, State, StateError, Status};

/// Who looks, and for what.
const SOURCE: &str = "job";
const CHECK: &str = "queue";

impl State {
    /// Observes what a look into a policy's queue has found: when it is something else than the last time.
    pub async fn observe_queue(
        &self,
        policy: &str,
        status: Status,
        summary: &str,
        advice: Option<String>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let subject = format!("privacy.{policy}");
        let mut before = self.last_checks(SOURCE, Some(&subject)).await?.into_iter().map(|last| last.observation);
        match before.find(|last| last.key.name == CHECK) {
            Some(last) if (last.status, last.summary.as_str()) == (status, summary) => return Ok(()),
            Some(last) if last.status == Status::Ok && status == Status::Ok => return Ok(()),
            None if status == Status::Ok => return Ok(()),
            _ => {}
        }
        let key = CheckKey { source: SOURCE.to_owned(), subject, name: CHECK.to_owned() };
        let observation = Observation { advice, ..Observation::new(key, status, summary, now) };
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        record(&mut tx, &observation).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))
    }
}
