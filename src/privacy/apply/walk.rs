//! A rule's rows, window by window, each window one transaction.

use std::time::{Duration, Instant};

use super::pace::Pace;
use super::throttle::{Throttle, pause, rest};
use super::window::{Cursor, Windows};
use super::{Application, RuleApplied};
use crate::privacy::fragment::Scalar;
use crate::privacy::ground::{Ground, GroundError, Trouble};
use crate::privacy::hold::Holding;
use crate::privacy::plan::Ready;
use crate::run::Failure;
use crate::state::Progressed;

/// How often in a row a window may be too slow, locked out or cut off before the rule is given up.
const PATIENCE: u32 = 8;

/// Why a walk came to no end.
pub(super) enum End {
    Ground(GroundError),
    Cap(String),
    Cancelled,
    Store(Failure),
}

impl From<crate::state::StateError> for End {
    fn from(error: crate::state::StateError) -> Self {
        Self::Store(error.into())
    }
}

/// Changes a rule's rows window by window, from where `left` says that an earlier run had come to.
pub(super) async fn walk(
    application: &Application<'_>,
    ground: &mut Box<dyn Ground>,
    ready: &Ready<'_>,
    id: &str,
    left: Option<Cursor>,
    applied: &mut RuleApplied,
) -> Result<(), End> {
    let setting = application.setting;
    let context = application.context;
    let mut pace = Pace::new(application.target);
    let mut patience = PATIENCE;
    let mut holds = Holding::read(&context.state, &setting.policy.name).await?;
    let mut held = setting.held(ready.resolved.table, &holds.active).0;
    let mut windows: Option<Windows<'_>> = None;
    let mut left = left;
    let mut of_this_pass = 0;
    let mut throttle = Throttle::new();
    loop {
        throttle.breathe(application, ground, &ready.resolved.table.relation).await?;
        let step = async {
            let walk = match windows.take() {
                Some(walk) => walk,
                None => Windows::new(ground.as_mut(), &ready.resolved, &ready.walk, left.take()).await?,
            };
            let walk = windows.insert(walk);
            let Some(window) = walk.next(ground.as_mut(), pace.rows()).await? else {
                return Ok::<_, GroundError>(None);
            };
            let statement = ready.resolved.batch(setting.dialect, &window.rows, held.as_ref());
            let began = Instant::now();
            let done = ground.change(&statement.finish(setting.dialect.placeholder()), pace.longest(), &holds).await?;
            Ok(Some((window, done, began.elapsed())))
        };
        match step.await {
            Ok(Some((window, Some(rows), took))) => {
                patience = PATIENCE;
                pace.took(took, rows);
                of_this_pass += rows;
                record(application, id, applied, rows, took, &window.next, &mut windows).await?;
                cap(application, ready, applied)?;
                rest(application, ground.rest(took)).await?;
            }
            // Holds came or went while it worked: the same window again, with what they say now.
            Ok(Some((_, None, _))) => {
                holds = Holding::read(&context.state, &setting.policy.name).await?;
                held = setting.held(ready.resolved.table, &holds.active).0;
            }
            // A table that refers to itself: what had children in it may have none any more.
            Ok(None) if ready.resolved.is_layered && of_this_pass > 0 => {
                of_this_pass = 0;
                if let Some(walk) = &mut windows {
                    walk.rewind();
                }
            }
            Ok(None) => return Ok(()),
            // Less at once, and at once.
            Err(error) if error.kind == Trouble::Slow && !pace.is_least() => {
                pace.halve();
                tracing::debug!(rule = applied.rule, %error, rows = pace.rows(), "too slow");
            }
            Err(error) if patience == 0 => return Err(End::Ground(error)),
            Err(error) => {
                patience -= 1;
                match error.kind {
                    Trouble::Slow | Trouble::Locked => pace.halve(),
                    Trouble::Lost => {
                        left = windows.take().map(|walk| walk.cursor).or(left);
                        reopen(application, ground).await?;
                    }
                    _ => return Err(End::Ground(error)),
                }
                tracing::debug!(rule = applied.rule, %error, rows = pace.rows(), "again");
                pause(application, Duration::from_millis(200) * (PATIENCE - patience)).await?;
            }
        }
    }
}

/// Writes down how far it has come, after the rows are gone: what is done a second time finds nothing to do.
async fn record(
    application: &Application<'_>,
    id: &str,
    applied: &mut RuleApplied,
    rows: u64,
    took: Duration,
    next: &[Scalar],
    windows: &mut Option<Windows<'_>>,
) -> Result<(), End> {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    applied.rows += rows;
    applied.batches += 1;
    applied.busy_ms += took_ms;
    applied.longest_ms = applied.longest_ms.max(took_ms);
    let mut cursor = None;
    if let Some(walk) = windows {
        walk.cursor.at = Some(next.to_vec());
        cursor = serde_json::to_string(&walk.cursor).ok();
    }
    let context = application.context;
    context.progress.beat();
    let progressed = Progressed { rows, took_ms };
    context.state.advance_disposition(id, &context.run_id, progressed, cursor.as_deref()).await?;
    Ok(())
}

/// Rows can come to match while it works: the caps hold for what was done, too.
fn cap(application: &Application<'_>, ready: &Ready<'_>, applied: &RuleApplied) -> Result<(), End> {
    let caps = &application.setting.policy.caps;
    let most = caps.max_rows.max(ready.meaning.rows);
    if applied.rows > most {
        return Err(End::Cap(format!("{} rows are more than `max_rows` ({})", applied.rows, caps.max_rows)));
    }
    Ok(())
}

async fn reopen(application: &Application<'_>, ground: &mut Box<dyn Ground>) -> Result<(), End> {
    let mut last = None;
    for attempt in 1..=PATIENCE {
        pause(application, Duration::from_millis(500) * attempt).await?;
        match application.door.open().await {
            Ok(new) => {
                *ground = new;
                return Ok(());
            }
            Err(error) => last = Some(error),
        }
    }
    last.map_or(Ok(()), |error| Err(End::Ground(error)))
}
