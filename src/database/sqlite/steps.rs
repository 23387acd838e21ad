//! The online backup API, step by step.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use tokio_util::sync::CancellationToken;

use super::error::{SqliteError, SqliteErrorKind};
use super::source::{BUSY_WAIT, Source};

/// What one step copies, in bytes: about 10 ms of work between two looks at the cancel flag, and under a rollback journal
/// the time a writer waits.
const STEP_BYTES: u32 = 4 * 1024 * 1024;
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// What the steps have done.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub pages: u64,
    pub restarts: u32,
    pub longest_step: Duration,
}

/// How the copying ended.
pub(super) enum Outcome {
    Done(Steps),
    /// Others wrote more often than this.
    TooManyRestarts(Steps),
}

/// One copy of `from` into `to`. SQLite begins anew by itself when another process has written between two steps;
/// `most_restarts` bounds that. `on_restart` learns of
/// each, with an instant just before the step that began anew.
pub(super) fn copy(
    from: &Source,
    to: &mut Connection,
    most_restarts: Option<u32>,
    progress: &mut dyn FnMut(u64, u64),
    mut on_restart: impl FnMut(Timestamp),
    cancel: &CancellationToken,
) -> Result<Outcome, SqliteError> {
    let path = from.path.as_path();
    let failed = |error: rusqlite::Error| SqliteError::sqlite(path, "copy", &error);
    let backup = Backup::new(&from.connection, to).map_err(failed)?;
    let pages_per_step = i32::try_from(STEP_BYTES / from.page_size.max(512)).unwrap_or(1).max(1);
    let mut steps = Steps::default();
    let mut copied_before = 0;
    let mut busy_since = None;
    loop {
        if cancel.is_cancelled() {
            return Err(SqliteError::new(path, "copy", SqliteErrorKind::Cancelled));
        }
        let (began, instant) = (Instant::now(), Timestamp::now());
        let result = backup.step(pages_per_step).map_err(failed)?;
        let now = backup.progress();
        let total = now.pagecount.max(0).unsigned_abs();
        let copied = total - now.remaining.clamp(0, now.pagecount.max(0)).unsigned_abs();
        match result {
            StepResult::Busy | StepResult::Locked => {
                if busy_since.get_or_insert(began).elapsed() > BUSY_WAIT {
                    let text = format!("no lock within {} s", BUSY_WAIT.as_secs());
                    return Err(SqliteError::new(path, "copy", SqliteErrorKind::Busy(text)));
                }
                std::thread::sleep(BUSY_PAUSE);
                continue;
            }
            StepResult::More | StepResult::Done => {}
            _ => return Err(SqliteError::new(path, "copy", SqliteErrorKind::Other("unknown step result".to_owned()))),
        }
        busy_since = None;
        steps.longest_step = steps.longest_step.max(began.elapsed());
        // A step that does not get beyond the one before has begun at page one.
        if copied_before > 0 && copied <= copied_before {
            steps.restarts += 1;
            on_restart(instant);
        }
        copied_before = copied;
        progress(u64::from(copied), u64::from(total));
        if result == StepResult::Done {
            steps.pages = u64::from(total);
            return Ok(Outcome::Done(steps));
        }
        if most_restarts.is_some_and(|most| steps.restarts > most) {
            return Ok(Outcome::TooManyRestarts(steps));
        }
    }
}
