//! `demo`
use super::exit::{CliError, Exit};
use super::output::Output;

pub(super) async fn run(_output: &Output) -> Result<Exit, CliError> {
    Ok(Exit::Done)
}
