//! What a rule waits for between its transactions.

use std::time::{Duration, Instant};

use super::Application;
use super::work::End;
use crate::config::Batch;
use crate::database::schema::Relation;
use crate::privacy::ground::{Ground, Pressure};

/// How often the database is asked.
const EVERY: Duration = Duration::from_secs(1);

/// When the database was asked last.
pub(super) struct Throttle {
    asked: Instant,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self { asked: Instant::now() }
    }

    /// Waits while something speaks for it.
    pub(super) async fn breathe(
        &mut self,
        application: &Application<'_>,
        ground: &mut Box<dyn Ground>,
        table: &Relation,
    ) -> Result<(), End> {
        let mut said: Option<&str> = None;
        loop {
            if application.context.cancel.is_cancelled() {
                return Err(End::Cancelled);
            }
            let is_paused = application.is_paused();
            if self.asked.elapsed() < EVERY && !is_paused {
                return Ok(());
            }
            self.asked = Instant::now();
            let why = match is_paused {
                true => Some("paused"),
                // Trouble with the connection shows in the work itself.
                false => ground.pressure(table).await.ok().and_then(|it| why(&application.setting.policy.batch, &it)),
            };
            if why != said {
                let phase = why.unwrap_or("apply");
                application.context.progress.phase(phase);
                tracing::info!(policy = application.setting.policy.name, %table, phase, "privacy");
                said = why;
            }
            if why.is_none() {
                return Ok(());
            }
            pause(application, EVERY).await?;
        }
    }
}

/// Why it should wait; `None`: it should not.
fn why(batch: &Batch, pressure: &Pressure) -> Option<&'static str> {
    let is_beyond = |span: Option<Duration>, most: Duration| span.is_some_and(|span| span > most);
    if is_beyond(pressure.replica_lag, batch.max_replica_lag) {
        return Some("waiting for a standby");
    }
    // Either alone is everyday life: together they say that the table grows by what is taken from it.
    let is_kept = is_beyond(pressure.oldest_snapshot, batch.max_snapshot_age);
    (is_kept && pressure.dead_rows > batch.max_dead_rows).then_some("waiting for an old snapshot to end")
}

/// Waits so long, or until it is told to stop.
pub(super) async fn pause(application: &Application<'_>, time: Duration) -> Result<(), End> {
    tokio::select! {
        () = application.context.cancelled() => Err(End::Cancelled),
        () = tokio::time::sleep(time) => {
            application.context.progress.beat();
            Ok(())
        }
    }
}

/// The same where there may be nothing to wait for.
pub(super) async fn rest(application: &Application<'_>, time: Duration) -> Result<(), End> {
    if time.is_zero() { Ok(()) } else { pause(application, time).await }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_snapshot_matters_where_many_dead_rows_wait_for_its_end() {
        let second = Duration::from_secs(1);
        let batch = Batch {
            target: None,
            lock_timeout: second,
            max_replica_lag: second * 10,
            max_snapshot_age: second * 3600,
            max_dead_rows: 1000,
            pause_file: None,
        };
        let of = |lag: u32, snapshot: u32, dead_rows| Pressure {
            replica_lag: Some(second * lag),
            oldest_snapshot: Some(second * snapshot),
            dead_rows,
        };
        assert_eq!(why(&batch, &Pressure::default()), None);
        assert_eq!(why(&batch, &of(11, 0, 0)), Some("waiting for a standby"));
        assert_eq!(why(&batch, &of(10, 3601, 1000)), None);
        assert_eq!(why(&batch, &of(10, 3600, 1_000_000)), None);
        assert_eq!(why(&batch, &of(10, 3601, 1001)), Some("waiting for an old snapshot to end"));
    }
}
