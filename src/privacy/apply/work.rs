//! What every way of applying a rule does alike: breathe, change rows in one transaction under the holds, forgive, record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde::Serialize;

use super::pace::Pace;
use super::throttle::{Throttle, pause, rest};
use super::window::{Cursor, Windows};
use super::{Application, RuleApplied};
use crate::database::schema::Relation;
use crate::privacy::fragment::Fragment;
use crate::privacy::ground::{Dropped, Gate, Ground, GroundError, Trouble};
use crate::privacy::hold::Holding;
use crate::privacy::plan::Ready;
use crate::run::Failure;
use crate::state::Progressed;

/// How often in a row a window may be too slow, locked out or cut off before the rule is given up.
const PATIENCE: u32 = 8;

/// Why a rule came to no end.
pub(super) enum End {
    Ground(GroundError),
    /// Something else that this rule needs: a store.
    Failed(Failure),
    Cap(String),
    Cancelled,
    Store(Failure),
}

impl From<crate::state::StateError> for End {
    fn from(error: crate::state::StateError) -> Self {
        Self::Store(error.into())
    }
}

/// The holds, and how many rows the caps leave: rows can come to match while it works.
struct Capped<'w> {
    holds: &'w Holding,
    left: u64,
    /// How many there would have been beyond.
    beyond: AtomicU64,
}

#[async_trait]
impl Gate for Capped<'_> {
    async fn is_open(&self, rows: u64) -> bool {
        if rows > self.left {
            self.beyond.store(rows, Ordering::Relaxed);
            return false;
        }
        self.holds.is_open(rows).await
    }
}

/// A rule under way.
pub(super) struct Work<'w> {
    pub application: &'w Application<'w>,
    pub ground: &'w mut Box<dyn Ground>,
    pub ready: &'w Ready<'w>,
    pub applied: &'w mut RuleApplied,
    /// The disposition.
    pub id: &'w str,
    pub pace: Pace,
    /// Which rows the holds keep.
    pub held: Option<Fragment>,
    holds: Holding,
    patience: u32,
    throttle: Throttle,
}

impl<'w> Work<'w> {
    pub(super) async fn new(
        application: &'w Application<'w>,
        ground: &'w mut Box<dyn Ground>,
        ready: &'w Ready<'w>,
        applied: &'w mut RuleApplied,
        id: &'w str,
    ) -> Result<Self, End> {
        let holds = Holding::read(&application.context.state, &application.setting.policy.name).await?;
        let held = application.setting.held(ready.resolved.table, ready.resolved.goes(), &holds.active).0;
        let (pace, throttle) = (Pace::new(application.target), Throttle::new());
        Ok(Self { application, ground, ready, applied, id, pace, held, holds, patience: PATIENCE, throttle })
    }

    /// Waits while something speaks for it.
    pub(super) async fn breathe(&mut self) -> Result<(), End> {
        self.throttle.breathe(self.application, self.ground, &self.ready.resolved.table.relation).await
    }

    /// The walk's windows, from where an earlier run had come to.
    pub(super) async fn windows(&mut self, left: Option<Cursor>) -> Result<Windows<'w>, End> {
        let ready = self.ready;
        loop {
            self.breathe().await?;
            match Windows::new(self.ground.as_mut(), &ready.resolved, &ready.walk, left.clone()).await {
                Ok(windows) => return Ok(windows),
                Err(error) => self.forgive(error).await?,
            }
        }
    }

    /// Reads anew what is held.
    pub(super) async fn look_at_holds(&mut self) -> Result<(), End> {
        let setting = self.application.setting;
        self.holds = Holding::read(&self.application.context.state, &setting.policy.name).await?;
        self.held = setting.held(self.ready.resolved.table, self.ready.resolved.goes(), &self.holds.active).0;
        Ok(())
    }

    /// Changes the rows of a window of which `also` is true, in one transaction. `None`: holds came or went meanwhile, or it
    /// is to be tried again with less at once; nothing has changed.
    pub(super) async fn change(
        &mut self,
        window: &Fragment,
        also: Option<Fragment>,
    ) -> Result<Option<(u64, Duration)>, End> {
        let dialect = self.application.setting.dialect;
        let mut statement = self.ready.resolved.batch(dialect, window, self.held.as_ref());
        if let Some(also) = also {
            statement.push("\n  AND ").append(also);
        }
        let (statement, began) = (statement.finish(dialect.placeholder()), Instant::now());
        let (most, cap) = self.ready.meaning.most;
        let gate =
            Capped { holds: &self.holds, left: most.saturating_sub(self.applied.rows), beyond: AtomicU64::new(0) };
        match self.ground.change(&statement, self.pace.longest(), &gate).await {
            Ok(Some(rows)) => {
                let took = began.elapsed();
                self.pace.took(took, rows);
                self.is_well();
                Ok(Some((rows, took)))
            }
            Ok(None) => {
                let beyond = gate.beyond.into_inner();
                if beyond > 0 {
                    let rows = self.applied.rows + beyond;
                    return Err(End::Cap(format!("{rows} rows are more than the {most} that `{cap}` allows")));
                }
                self.look_at_holds().await?;
                Ok(None)
            }
            Err(error) => {
                self.forgive(error).await?;
                Ok(None)
            }
        }
    }

    /// Runs a statement that is a transaction by itself.
    pub(super) async fn alone(&mut self, sql: &str, wait: Duration) -> Result<(), GroundError> {
        self.application.context.progress.beat_during(self.ground.alone(sql, wait)).await
    }

    /// Drops a table of which `look` tells that it may go, under the holds and the cap.
    pub(super) async fn drop_table(
        &mut self,
        table: &Relation,
        look: Fragment,
        wait: Duration,
    ) -> Result<Dropped, GroundError> {
        let most = self.ready.meaning.most.0.saturating_sub(self.applied.rows);
        let look = look.finish(self.application.setting.dialect.placeholder());
        let dropping = self.ground.drop_table(table, &look, (most, wait), &self.holds);
        self.application.context.progress.beat_during(dropping).await
    }

    /// Something succeeded: patience is as it was at first.
    pub(super) fn is_well(&mut self) {
        self.patience = PATIENCE;
    }

    /// Gets ready for another attempt after an error, or ends with it.
    pub(super) async fn forgive(&mut self, error: GroundError) -> Result<(), End> {
        tracing::debug!(rule = self.applied.rule, %error, rows = self.pace.rows(), "again, with less");
        if error.kind == Trouble::Slow && !self.pace.is_least() {
            // Less at once, and at once.
            self.pace.halve();
            return Ok(());
        }
        if self.patience == 0 {
            return Err(End::Ground(error));
        }
        self.patience -= 1;
        match error.kind {
            Trouble::Slow | Trouble::Locked => self.pace.halve(),
            Trouble::Lost => self.reopen().await?,
            _ => return Err(End::Ground(error)),
        }
        pause(self.application, Duration::from_millis(200) * (PATIENCE - self.patience)).await
    }

    async fn reopen(&mut self) -> Result<(), End> {
        let mut last = None;
        for attempt in 1..=PATIENCE {
            pause(self.application, Duration::from_millis(500) * attempt).await?;
            match self.application.door.open().await {
                Ok(new) => {
                    *self.ground = new;
                    return Ok(());
                }
                Err(error) => last = Some(error),
            }
        }
        last.map_or(Ok(()), |error| Err(End::Ground(error)))
    }

    /// Writes down how far it has come, after the rows are gone: what is done a second time finds nothing to do. Then rests.
    pub(super) async fn record(
        &mut self,
        rows: u64,
        took: Duration,
        cursor: &(impl Serialize + Sync),
    ) -> Result<(), End> {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.applied.rows += rows;
        self.applied.batches += 1;
        self.applied.busy_ms += took_ms;
        self.applied.longest_ms = self.applied.longest_ms.max(took_ms);
        let cursor = serde_json::to_string(cursor).ok();
        let context = self.application.context;
        context.progress.beat();
        let progressed = Progressed { rows, took_ms };
        context.state.advance_disposition(self.id, &context.run_id, progressed, cursor.as_deref()).await?;
        rest(self.application, self.ground.rest(took)).await
    }
}
