//! The command line: arguments, rendering for people and as JSON, exit codes. One file per group of commands.

mod alert;
mod args;
mod backup;
mod completions;
mod config;
mod confirm;
mod daemon;
mod database;
mod demo;
mod exit;
mod health;
mod job;
mod logging;
mod memory;
mod output;
mod privacy;
mod progress;
mod restore;
mod scene;
mod status;
mod user;

use std::process::ExitCode;

use clap::Parser;

pub use args::Cli;
use args::{AlertCommand, Command};
pub use exit::{CliError, Exit};
use output::Output;

use crate::config::Config;

/// Runs the program.
pub fn main() -> ExitCode {
    memory::give_back();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors; clap prints each where it belongs.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let output = Output::new(cli.global.format, cli.global.no_color);
    match run(&cli, &output) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output.error(&error);
            error.exit.into()
        }
    }
}

fn run(cli: &Cli, output: &Output) -> Result<Exit, CliError> {
    match &cli.command {
        // These need neither configuration nor runtime.
        Command::Completions { shell } => return Ok(completions::shell(*shell, output)),
        Command::Man { dir } => return completions::man(dir, output),
        Command::Init { dir } => return config::init(dir, output),
        Command::Config(command) if !command.online() => return config::offline(command, &cli.global, output),
        _ => {}
    }
    let is_daemon = matches!(cli.command, Command::Daemon);
    logging::start(cli.global.verbose, is_daemon, cli.global.no_color);
    if let Command::Demo = &cli.command {
        return runtime()?.block_on(demo::run(output));
    }
    if let Command::Alert(AlertCommand::UnitFailed { unit }) = &cli.command {
        let whom = alert::unit_failed::whom(&cli.global, output)?;
        return runtime()?.block_on(alert::unit_failed::run(unit, &whom, output));
    }
    let (config, became) = settled(cli, is_daemon, output)?;
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let scene = scene::Scene::new(config, &cli.global, output);
        match &cli.command {
            Command::Daemon => daemon::run(scene).await,
            Command::Reload => daemon::reload(&scene).await,
            Command::Status => status::run(&scene).await,
            Command::Health(arguments) => health::run(arguments, &scene).await,
            Command::Database(command) => database::run(command, &scene).await,
            Command::Job(command) => job::run(command, &scene).await,
            Command::Backup(command) => backup::run(command, &scene).await,
            Command::Alert(command) => alert::run(command, &scene).await,
            Command::Privacy(command) => privacy::run(command, &scene).await,
            Command::Restore(arguments) => restore::run(arguments, &scene).await,
            Command::Config(command) => config::online(command, &scene).await,
            Command::Demo | Command::Completions { .. } | Command::Man { .. } | Command::Init { .. } => Ok(Exit::Done),
        }
    });
    // Blocking reads of a source that hangs must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    match became {
        Some(user) => done.map_err(|error| user::explain(error, &user)),
        None => done,
    }
}

/// The configuration, read as the user who is to work with it, and that user if it is not the one who asked. The rest of what was loaded ends here: it is large where
/// there are many jobs.
fn settled(cli: &Cli, is_daemon: bool, output: &Output) -> Result<(Config, Option<String>), CliError> {
    let mut loaded = config::load(&cli.global, output)?;
    let became = user::drop_to_owner(&loaded.config.daemon.state_dir)?;
    if became.is_some() {
        // Once more: defaults and warnings depend on who reads.
        loaded = config::load(&cli.global, output)?;
    }
    if is_daemon {
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
    }
    Ok((loaded.config, became))
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4)))
        .enable_all()
        .build()
        .map_err(|error| CliError::failed(format!("cannot start the runtime: {error}")))
}
