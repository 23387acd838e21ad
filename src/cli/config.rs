//! `init`, `config check|show`, and the loading of the configuration for all other commands.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::args::{ConfigCommand, Global};
use super::exit::{CliError, Exit};
use super::output::Output;
use super::scene::Scene;
use crate::alert::channels::{channels, rehearse};
use crate::alert::{Receipt, SendError};
use crate::config::{
    ChannelName, Config, DEFAULT_PATH, Database, DatabaseKind, DatabaseName, Diagnostic, LoadOptions, Loaded, Severity,
};
use crate::database::{Servers, postgres, sqlite};
use crate::jobs::registry;
use crate::run::Failure;
use crate::store;
use crate::units::counted;

pub(super) fn init(dir: &Path, output: &Output) -> Result<Exit, CliError> {
    let written = crate::config::init(dir).map_err(|error| {
        let refused = matches!(error, crate::config::InitError::Exists { .. });
        let error = CliError::from(error);
        if refused { CliError { exit: Exit::Refused, ..error } } else { error }
    })?;
    for path in &written {
        output.line(format!("wrote {}", path.display()));
    }
    let option = match written.first() {
        Some(path) if path != Path::new(DEFAULT_PATH) => format!("--config {} ", path.display()),
        _ => String::new(),
    };
    output.line(format!("edit it, then: caretaker {option}config check --online"));
    output.json(&json!({"written": written}));
    Ok(Exit::Done)
}

/// Loads the configuration; all its errors at once otherwise. Warnings go to standard error only for `config check` and
/// the daemon: every other command would repeat them.
pub(super) fn load(global: &Global, output: &Output) -> Result<Loaded, CliError> {
    let loaded = crate::config::load(&LoadOptions::from_process(global.config.clone()));
    loaded.map_err(|found| rejected(&found, global, output))
}

fn rejected(found: &[Diagnostic], global: &Global, output: &Output) -> CliError {
    let text: Vec<String> = found.iter().map(|diagnostic| diagnostic.render(output.color_errors())).collect();
    let errors = found.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let errors = counted(errors, "error", "errors");
    let message = format!("{}\n\n{errors} in the configuration", text.join("\n\n"));
    let error = CliError { rendered: true, ..CliError::usage(message) };
    let missing = global.config.is_none() && !Path::new(DEFAULT_PATH).exists();
    if missing { error.hint("write one with `caretaker init`, or name one with --config PATH") } else { error }
}

/// The configuration once more, for the daemon.
pub(super) fn reload(path: Option<&Path>) -> Result<Config, String> {
    let loaded = crate::config::load(&LoadOptions::from_process(path.map(Path::to_owned)));
    loaded
        .map(|loaded| loaded.config)
        .map_err(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// What needs nothing but the files.
pub(super) fn offline(command: &ConfigCommand, global: &Global, output: &Output) -> Result<Exit, CliError> {
    match command {
        ConfigCommand::Show => {
            let loaded = load(global, output)?;
            output.line(loaded.show().to_toml().trim_end());
            output.json(&loaded.show().to_json());
        }
        ConfigCommand::Check { .. } => {
            let options = LoadOptions::from_process(global.config.clone());
            match crate::config::load(&options).and_then(rehearsed) {
                Ok(loaded) => {
                    tell_warnings(&loaded.warnings, output);
                    output.line(format!(
                        "configuration is good: {}, {}, {}, {}, {}",
                        counted(loaded.config.databases.len(), "database", "databases"),
                        counted(loaded.config.stores.len(), "store", "stores"),
                        counted(registry(&Arc::new(loaded.config.clone())).len(), "job", "jobs"),
                        counted(loaded.config.channels.len(), "channel", "channels"),
                        counted(loaded.warnings.len(), "warning", "warnings")
                    ));
                    let warnings: Vec<_> = loaded.warnings.iter().map(Diagnostic::to_json).collect();
                    output.json(&json!({"valid": true, "sources": loaded.sources, "diagnostics": warnings}));
                }
                Err(found) if output.is_json() => {
                    let found: Vec<_> = found.iter().map(Diagnostic::to_json).collect();
                    output.json(&json!({"valid": false, "diagnostics": found}));
                    return Ok(Exit::Usage);
                }
                Err(found) => return Err(rejected(&found, global, output)),
            }
        }
    }
    Ok(Exit::Done)
}

/// With the templates of its channels tried.
fn rehearsed(loaded: Loaded) -> Result<Loaded, Vec<Diagnostic>> {
    let wrong = |(channel, message): (ChannelName, String)| Diagnostic {
        severity: Severity::Error,
        message: format!("the channel `{channel}`: {message}"),
        place: None,
        help: None,
    };
    let found: Vec<Diagnostic> = rehearse(&loaded.config).into_iter().map(wrong).collect();
    if found.is_empty() { Ok(loaded) } else { Err(found) }
}

fn tell_warnings(warnings: &[Diagnostic], output: &Output) {
    if !output.is_json() {
        for warning in warnings {
            output.remark(format!("{}\n", warning.render(output.color_errors())));
        }
    }
}

/// `config check --online`: tries every store, every database, and every channel as far as it goes without a message.
pub(super) async fn online(_command: &ConfigCommand, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let mut rows = Vec::new();
    for settings in scene.config.stores.values() {
        let tried = async {
            let store = store::open(settings).await?;
            store.probe().await
        };
        rows.push((
            "store",
            settings.name.to_string(),
            "wrote, read back, deleted".to_owned(),
            tried.await.map_err(Failure::from),
        ));
    }
    let servers = Servers::new(&scene.config);
    for (name, database) in &scene.config.databases {
        let tried = try_database(name, database, &servers, scene.config.daemon.pg_bindir.as_deref()).await;
        let (text, tried) = match tried {
            Ok(text) => (text, Ok(())),
            Err(failure) => (String::new(), Err(failure)),
        };
        rows.push(("database", name.to_string(), text, tried));
    }
    for (name, channel) in channels(&scene.config) {
        let (text, tried) = match channel.probe().await {
            Ok(Receipt(text)) => (text, Ok(())),
            Err(error) => (String::new(), Err(failed(error))),
        };
        rows.push(("channel", name.to_string(), text, tried));
    }
    let mut all_good = true;
    let mut report = Vec::new();
    for (kind, name, text, tried) in rows {
        match tried {
            Ok(()) => {
                scene.output.line(format!("{} {kind} {name}: {text}", scene.output.good("ok")));
                report.push(json!({"kind": kind, "name": name, "ok": true, "detail": text}));
            }
            Err(failure) => {
                all_good = false;
                scene.output.line(format!("{} {kind} {name}: {}", scene.output.bad("failed"), failure.message));
                if let Some(hint) = &failure.hint {
                    scene.output.line(format!("  hint: {hint}"));
                }
                report.push(
                    json!({"kind": kind, "name": name, "ok": false, "detail": failure.message, "hint": failure.hint}),
                );
            }
        }
    }
    scene.output.json(&report);
    Ok(if all_good { Exit::Done } else { Exit::Found })
}

fn failed(error: SendError) -> Failure {
    let (message, hint) = match error {
        SendError::Permanent { message, hint } => (message, hint),
        SendError::Temporary { message, .. } => (message, None),
    };
    Failure { hint, ..Failure::new(message) }
}

async fn try_database(
    name: &DatabaseName,
    database: &Database,
    servers: &Servers,
    pg_bindir: Option<&Path>,
) -> Result<String, Failure> {
    match &database.kind {
        DatabaseKind::Postgres(_) => {
            let server = servers.get(name).ok_or_else(|| Failure::new("a bug: no handle"))?;
            let mut connection = server.connect("check").await?;
            let identity = connection.identify().await?;
            let hindrances = connection.hindrances().await?;
            connection.close().await;
            if let Some(failure) = missing(&hindrances, &identity.user, identity.major) {
                return Err(failure);
            }
            let wanted = postgres::Wanted::to_dump(identity.major);
            let tool = postgres::find(postgres::Program::PgDump, wanted, pg_bindir).await?;
            Ok(format!("PostgreSQL {} as {}, to be dumped by {}", identity.version, identity.user, tool.version))
        }
        DatabaseKind::Sqlite(target) => {
            let found = sqlite::probe(&target.path).await?;
            Ok(format!("SQLite file of {} bytes, journal mode {}", found.bytes, found.journal_mode))
        }
    }
}

/// What our role lacks, with the statement that cures it.
fn missing(found: &postgres::Hindrances, role: &str, major: u32) -> Option<Failure> {
    let some = |names: &[String]| match names {
        [first, .., _] => format!("{first} and {} more", names.len() - 1),
        _ => names.join(""),
    };
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    if !found.unreadable.is_empty() {
        let failure = Failure::new(format!("the role {role} may not read {}", some(&found.unreadable)));
        return Some(if major >= 14 {
            failure.hint(format!("GRANT pg_read_all_data TO {role};"))
        } else {
            failure
                .hint(format!("GRANT USAGE ON SCHEMA … TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA … TO {role};"))
        });
    }
    if !found.filtered.is_empty() {
        let text = format!("row security would hide rows of {} from the role {role}", some(&found.filtered));
        return Some(Failure::new(text).hint(format!("ALTER ROLE {role} BYPASSRLS;")));
    }
    None
}
