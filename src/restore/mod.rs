//! Backups read back: verified where they are, restored into an empty or new database, and compared with their
//! manifests.

mod compare;
mod postgres;
mod record;
mod source;
mod sqlite;
mod target;
mod trouble;
mod verify;

pub use compare::{Comparison, TableComparison};
pub use record::record;
pub use source::BackupSource;
pub use target::{Target, TargetError, parse_target};
pub use trouble::Trouble;
pub use verify::{CopyReport, verify_copy};

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::archive::codec::Identities;
use crate::archive::manifest::SourceKind;
use crate::config::Config;
use crate::privacy::approval::Hand;
use crate::privacy::replay::{Copy, Replay, Replayed};
use crate::privacy::session::Place;
use crate::run::{Failure, Progress, who};
use crate::state::State;

/// What a restore is made with.
pub struct RestoreContext<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// What is remembered.
    pub state: &'a State,
    /// The keys that open encrypted backups.
    pub identities: Identities,
    /// A private folder.
    pub staging: &'a Path,
    /// Counters to raise.
    pub progress: Arc<Progress>,
    /// Ends when the restore must.
    pub cancel: CancellationToken,
}

/// What a restore would do.
#[derive(Debug, Clone, Serialize)]
pub struct RestorePlan {
    /// The backup.
    pub backup: String,
    /// The store it comes from.
    pub store: String,
    /// The instant whose data it is.
    pub snapshot_at: jiff::Timestamp,
    /// Stored and plain bytes of the data object.
    pub stored_bytes: u64,
    /// See `stored_bytes`.
    pub plain_bytes: u64,
    /// Where to, in words.
    pub target: String,
    /// Whether the target database is created first.
    pub creates: bool,
    /// What stands in the way: contents of the target. Not empty: the restore is refused.
    pub occupied: Vec<String>,
    /// The tool.
    pub tool: Option<String>,
    /// What is to be known.
    pub warnings: Vec<String>,
}

/// What a restore has come to.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// The comparison with the manifest, before erasures were applied again.
    pub comparison: Comparison,
    /// The erasures that were applied again.
    pub replayed: Vec<Replayed>,
    /// What was said without harm to the data.
    pub warnings: Vec<String>,
}

/// Plans a restore; reads only.
pub async fn plan(
    source: &BackupSource,
    target: &Target,
    context: &RestoreContext<'_>,
) -> Result<RestorePlan, Failure> {
    match (source.manifest.kind, target) {
        (SourceKind::Postgres, Target::Postgres(server)) => postgres::plan(source, server, context).await,
        (SourceKind::Sqlite, Target::Sqlite(path)) => sqlite::plan(source, path),
        (SourceKind::Postgres, Target::Sqlite(_)) => {
            Err(Failure::new("a PostgreSQL backup cannot be restored into SQLite").hint("name a postgres:// URL"))
        }
        (SourceKind::Sqlite, Target::Postgres(_)) => {
            Err(Failure::new("a SQLite backup cannot be restored into PostgreSQL").hint("name a sqlite:// URL"))
        }
    }
}

/// Restores, compares, and applies again what was erased since. The plan must have found nothing in the way; it is looked
/// at once more.
pub async fn restore(
    source: &BackupSource,
    target: &Target,
    plan: &RestorePlan,
    replay: &Replay,
    context: &RestoreContext<'_>,
) -> Result<Restored, Trouble> {
    match target {
        Target::Postgres(server) => postgres::restore(source, server, plan, replay, context).await,
        Target::Sqlite(path) => sqlite::restore(source, path, plan, replay, context).await,
    }
}

/// Applies erasures again to a copy that is there already, and opens it if it is closed to others.
pub async fn replay_into(
    target: &Target,
    replay: &Replay,
    context: &RestoreContext<'_>,
) -> Result<Vec<Replayed>, Failure> {
    match target {
        Target::Postgres(server) => postgres::erase_again(server, replay, None, context).await,
        Target::Sqlite(path) => {
            let copy = Copy { place: Place::File(path.clone()), name: target.to_string(), snapshot_at: None };
            apply_again(replay, &copy, context).await
        }
    }
}

/// Applies the erasures again to a copy that is complete but for that.
async fn apply_again(replay: &Replay, copy: &Copy, context: &RestoreContext<'_>) -> Result<Vec<Replayed>, Failure> {
    context.progress.phase("erase");
    let who = who();
    let hand = Hand { who: &who, is_person: true, run_id: None };
    let applied = replay.apply(context.config, context.state, copy, &hand);
    tokio::select! {
        applied = context.progress.beat_during(applied) => applied,
        () = context.cancel.cancelled() => Err(Failure::new("cancelled")),
    }
}
