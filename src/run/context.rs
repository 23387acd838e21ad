//! What a job is given to run with.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Progress;
use crate::state::{Cause, State};

/// What a job is given to run with.
#[derive(Debug, Clone)]
pub struct RunContext {
    /// The job's full name.
    pub job: String,
    /// The run's UUIDv7.
    pub run_id: String,
    /// Which attempt this is; from 1.
    pub attempt: u32,
    /// Why it runs.
    pub cause: Cause,
    /// When it began.
    pub started_at: Timestamp,
    /// What is remembered.
    pub state: State,
    /// Counters to raise.
    pub progress: Arc<Progress>,
    /// Ends when the run must.
    pub cancel: CancellationToken,
    /// A private folder (0700) that is removed when the run ends, or before the next one if it was killed.
    pub staging: PathBuf,
    /// What the attempt before this one has put on record: the id of a partial backup, …
    pub left: Option<serde_json::Value>,
}

impl RunContext {
    /// Resolves when the run must end.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }
}
