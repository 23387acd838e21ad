//! One step of the alert engine: what was observed goes, what follows from it comes, in one transaction.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::Row;

use super::super::instant::from_ms;
use super::super::{CheckKey, Observation, State, StateError};
use super::incident::{Fault, Incident, Standing, Told, unfinished};
use super::outbox::NewNotification;
use super::silence::{Silence, active};
use super::write;

/// How many observations are taken in one step.
const AT_MOST: i64 = 500;

/// What a step begins with.
#[derive(Debug, Clone, Default)]
pub struct Desk {
    /// What was observed and not looked at yet, in its order.
    pub observations: Vec<Observation>,
    /// What the engine keeps of the checks concerned, and of their databases' connectivity.
    pub tracks: BTreeMap<CheckKey, String>,
    /// The incidents that are open, or over without everybody having been told.
    pub standings: Vec<Standing>,
    /// The silences that hold now.
    pub silences: Vec<Silence>,
    /// Remembered moments.
    pub marks: BTreeMap<String, Timestamp>,
}

/// What follows.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Tracks that have changed.
    pub tracks: Vec<(CheckKey, String)>,
    /// Incidents that are new or have changed.
    pub incidents: Vec<Incident>,
    /// What is told with this step, by incident and channel.
    pub told: Vec<(String, String, Told)>,
    /// What goes into the outbox, in this order.
    pub notifications: Vec<NewNotification>,
    /// Moments to be remembered.
    pub marks: Vec<(String, Timestamp)>,
}

impl Step {
    /// Whether nothing follows.
    pub fn is_empty(&self) -> bool {
        let Self { tracks, incidents, told, notifications, marks } = self;
        tracks.is_empty() && incidents.is_empty() && told.is_empty() && notifications.is_empty() && marks.is_empty()
    }
}

/// What a step has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Advanced {
    /// How many observations were looked at.
    pub observed: usize,
    /// How many notifications went into the outbox.
    pub queued: usize,
    /// Whether there were more observations than fit into one step.
    pub more: bool,
}

impl State {
    /// Takes the alert engine one step further. `plan` is pure and may be called twice: the first time to see whether
    /// anything follows at all, so that nothing is written where nothing happens.
    pub async fn advance_alerts(
        &self,
        now: Timestamp,
        plan: impl Fn(&Desk) -> Step + Send,
    ) -> Result<Advanced, StateError> {
        let mut tx = self.pool.begin().await.map_err(|e| self.error(e))?;
        let (_, desk) = read(&mut tx, now).await.map_err(|fault| self.fault(fault))?;
        tx.rollback().await.map_err(|e| self.error(e))?;
        if desk.observations.is_empty() && plan(&desk).is_empty() {
            return Ok(Advanced::default());
        }
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        let (taken, desk) = read(&mut tx, now).await.map_err(|fault| self.fault(fault))?;
        let step = plan(&desk);
        write::step(&mut tx, &step, now).await.map_err(|fault| self.fault(fault))?;
        sqlx::query("DELETE FROM observations WHERE seq <= ?1")
            .bind(taken.last)
            .execute(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))?;
        Ok(Advanced {
            observed: desk.observations.len(),
            queued: step.notifications.len(),
            more: taken.count >= AT_MOST,
        })
    }
}

impl State {
    /// A remembered moment.
    pub async fn moment(&self, name: &str) -> Result<Option<Timestamp>, StateError> {
        let ms: Option<i64> = sqlx::query_scalar("SELECT at_ms FROM marks WHERE name = ?1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(ms.map(from_ms))
    }
}

/// Which observations were taken.
#[derive(Default)]
struct Taken {
    last: i64,
    count: i64,
}

async fn read(tx: &mut sqlx::SqliteConnection, now: Timestamp) -> Result<(Taken, Desk), Fault> {
    let mut desk = Desk { standings: unfinished(tx).await?, silences: active(tx, now).await?, ..Desk::default() };
    for row in sqlx::query("SELECT name, at_ms FROM marks").fetch_all(&mut *tx).await? {
        desk.marks.insert(row.get(0), from_ms(row.get(1)));
    }
    let rows = sqlx::query("SELECT seq, observation FROM observations ORDER BY seq LIMIT ?1")
        .bind(AT_MOST)
        .fetch_all(&mut *tx)
        .await?;
    let mut taken = Taken::default();
    for row in &rows {
        taken = Taken { last: row.get(0), count: taken.count + 1 };
        match serde_json::from_str::<Observation>(row.get(1)) {
            Ok(observation) => desk.observations.push(observation),
            // One that cannot be read must not keep the others waiting for ever.
            Err(error) => tracing::error!(seq = taken.last, %error, "an observation cannot be read and is passed over"),
        }
    }
    let mut keys: Vec<CheckKey> = Vec::new();
    for key in desk.observations.iter().map(|observation| &observation.key) {
        keys.push(key.clone());
        keys.push(CheckKey { name: "connectivity".to_owned(), ..key.clone() });
    }
    keys.sort();
    keys.dedup();
    for key in keys {
        let track = sqlx::query_scalar("SELECT track FROM tracks WHERE source = ?1 AND subject = ?2 AND name = ?3")
            .bind(&key.source)
            .bind(&key.subject)
            .bind(&key.name)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(track) = track {
            desk.tracks.insert(key, track);
        }
    }
    Ok((taken, desk))
}
