//! `backup now|list|show|verify|pin|unpin|prune`: one file per command.

mod list;
mod now;
mod pin;
mod prune;
mod show;
mod verify;

pub(in crate::cli) use now::summary_line;

use super::args::BackupCommand;
use super::exit::{CliError, Exit};
use super::restore;
use super::scene::Scene;
use crate::archive::manifest::Manifest;
use crate::state::Backup;

pub(in crate::cli) async fn run(command: &BackupCommand, scene: &Scene<'_>) -> Result<Exit, CliError> {
    match command {
        BackupCommand::Now { database, output, dry_run } => {
            now::now(database, output.as_deref(), *dry_run, scene).await
        }
        BackupCommand::List { database } => list::list(database.as_deref(), scene).await,
        BackupCommand::Show { id } => show::show(id, scene).await,
        BackupCommand::Verify { id, database, store, identity } => {
            let keys = restore::identities(identity.as_deref())?;
            verify::verify(id, database.as_deref(), store.as_deref(), keys, scene).await
        }
        BackupCommand::Pin { id } => pin::pin(id, true, scene).await,
        BackupCommand::Unpin { id } => pin::pin(id, false, scene).await,
        BackupCommand::Prune { job, apply, yes } => prune::prune(job.as_deref(), *apply, *yes, scene).await,
    }
}

/// The manifest of a backup, once it was written.
fn manifest(backup: &Backup) -> Option<Manifest> {
    serde_json::from_str(backup.manifest.as_deref()?).ok()
}
