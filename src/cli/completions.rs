//! Completion scripts and manual pages, made from the arguments themselves.

use std::path::Path;

use clap::CommandFactory;

use super::args::Cli;
use super::exit::{CliError, Exit};
use super::output::Output;

pub(super) fn shell(shell: clap_complete::Shell, output: &Output) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "caretaker", &mut script);
    output.raw(String::from_utf8_lossy(&script).trim_end());
    Exit::Done
}

pub(super) fn man(dir: &Path, output: &Output) -> Result<Exit, CliError> {
    let written = std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(Cli::command(), dir));
    written
        .map_err(|error| CliError::failed(format!("cannot write the manual pages to {}: {error}", dir.display())))?;
    output.line(format!("manual pages written to {}", dir.display()));
    Ok(Exit::Done)
}
