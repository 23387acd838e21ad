//! `alert`: one file per command.

mod ack;
mod list;
mod silence;
mod test;
pub(super) mod unit_failed;

pub(super) use list::{incidents, outbox};

use super::args::AlertCommand;
use super::exit::{CliError, Exit};
use super::scene::Scene;

pub(super) async fn run(command: &AlertCommand, scene: &Scene<'_>) -> Result<Exit, CliError> {
    match command {
        AlertCommand::List { all } => list::run(*all, scene).await,
        AlertCommand::Ack { id } => ack::run(id, scene).await,
        AlertCommand::Silence { target, lasts, reason } => silence::begin(target, *lasts, reason, scene).await,
        AlertCommand::Silences => silence::list(scene).await,
        AlertCommand::Unsilence { what } => silence::end(what, scene).await,
        AlertCommand::Test { channel } => test::run(channel.as_deref(), scene).await,
        // Works without a configuration, and never comes here.
        AlertCommand::UnitFailed { .. } => Ok(Exit::Done),
    }
}

/// The end of an id: enough to tell it from others, and what the commands take.
fn short(id: &str) -> &str {
    id.rsplit('-').next().unwrap_or(id)
}
