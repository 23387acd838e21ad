//! What is doubtful about a configuration as a whole, although each value in it is right.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Config, DatabaseKind, Diagnostic, SecretSource, Severity, StoreKind};

/// What can be told without looking at the machine.
pub(super) fn config(config: &Config) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if config.databases.is_empty() {
        found.push(warning("no database is configured", "add a table `[databases.NAME]`"));
    }
    for name in config.databases.keys() {
        if !config.backups.values().any(|job| job.database == *name) {
            let help = format!("add a table `[backup.NAME]` with `database = \"{name}\"`");
            found.push(warning(format!("no job backs up the database `{name}`"), help));
        }
    }
    for store in config.stores.values() {
        if let StoreKind::Local(local) = &store.kind
            && local.path.starts_with(&config.daemon.state_dir)
        {
            found.push(warning(
                format!("the store `{}` is inside the state directory", store.name),
                "put backups elsewhere, best on another disk: what loses the one must not lose the other",
            ));
        }
    }
    let routes = &config.alerts.routes;
    let takes_all = |route: &super::Route| {
        let super::Route { severity, database, check, environment, channels: _ } = route;
        severity.is_none_or(|severity| severity == super::AlertSeverity::Unknown)
            && (database, check) == (&None, &None)
            && environment.is_none_or(|environment| environment == config.daemon.environment)
    };
    if !routes.is_empty() && !routes.iter().any(takes_all) {
        found.push(warning(
            "no route takes what the others do not: it is told to nobody",
            "add `[[alerts.routes]]` with nothing but `channels`",
        ));
    }
    found
}

/// What can be told from the files that the configuration names.
pub(super) fn files(config: &Config) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (what, path, is_required) in secret_files(config) {
        match std::fs::metadata(&path) {
            Ok(data) => found.extend(exposure(&what, &path, &data)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_required => {
                found.push(warning(format!("{what}: {} does not exist", path.display()), "create it"));
            }
            // Somebody who may not look is not the one who needs it.
            Err(_) => {}
        }
    }
    for database in config.databases.values() {
        if let DatabaseKind::Sqlite(target) = &database.kind
            && std::fs::metadata(&target.path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        {
            let help = match target.path.components().count() {
                2 => {
                    "in `sqlite:///name` the path begins at the root of the file system; \
                      for one relative to the file that says it, write `sqlite:./name`"
                }
                _ => "correct the path, or create the database",
            };
            let path = target.path.display();
            found.push(warning(format!("the database `{}`: {path} does not exist", database.name), help));
        }
    }
    found
}

/// The files with secrets that the configuration names, and whether each must exist.
fn secret_files(config: &Config) -> Vec<(String, PathBuf, bool)> {
    let mut files = Vec::new();
    let databases = config.databases.values().filter_map(|database| match &database.kind {
        DatabaseKind::Postgres(target) => Some((format!("the database `{}`", database.name), target)),
        DatabaseKind::Sqlite(_) => None,
    });
    let consoles = config.health.values().filter_map(|job| {
        job.pgbouncer.as_ref().map(|target| (format!("the console `health.{}.pgbouncer`", job.name), target))
    });
    for (what, target) in databases.chain(consoles) {
        files.extend(target.password.as_ref().and_then(|source| secret_file(&what, source)));
        files.extend(target.sslkey.clone().map(|path| (what.clone(), path, true)));
    }
    for store in config.stores.values() {
        if let StoreKind::S3(s3) = &store.kind {
            files.extend(s3.credentials_file.clone().map(|path| (format!("the store `{}`", store.name), path, true)));
        }
    }
    for (name, channel) in &config.channels {
        let what = format!("the channel `{name}`");
        files.extend(channel.kind.secrets().into_iter().filter_map(|source| secret_file(&what, source)));
    }
    for job in config.backups.values() {
        let what = format!("backup.{}", job.name);
        files.extend(job.heartbeat.as_ref().and_then(|ping| secret_file(&what, &ping.url)));
    }
    for job in config.health.values() {
        let what = format!("health.{}", job.name);
        files.extend(job.heartbeat.as_ref().and_then(|ping| secret_file(&what, &ping.url)));
    }
    for policy in config.privacy.values() {
        let what = format!("privacy.{}", policy.name);
        let ping = policy.heartbeat.as_ref().map(|ping| &ping.url);
        files.extend(policy.key.iter().chain(ping).filter_map(|source| secret_file(&what, source)));
    }
    let heartbeat = config.heartbeat.as_ref();
    files.extend(heartbeat.and_then(|heartbeat| secret_file("the heartbeat", &heartbeat.ping.url)));
    files
}

fn secret_file(what: &str, source: &SecretSource) -> Option<(String, PathBuf, bool)> {
    // A credential may also come from systemd.
    let is_required = !matches!(source, SecretSource::Credential(_));
    source.file().map(|path| (what.to_owned(), path, is_required))
}

/// Whether others than its owner can read a secret. As libpq and OpenSSL's users have it: a file of root may be
/// readable by a group, for that is how a service's user gets at it.
fn exposure(what: &str, path: &Path, data: &std::fs::Metadata) -> Option<Diagnostic> {
    let everybody = data.mode() & 0o007 != 0;
    let group = data.mode() & 0o070 != 0 && (data.uid() != 0 || data.mode() & 0o020 != 0);
    if !everybody && !group {
        return None;
    }
    let who = if everybody { "everybody" } else { "its group" };
    let path = path.display();
    let mode = if data.uid() == 0 { "0640" } else { "0600" };
    Some(warning(format!("{what}: the secret file {path} is open to {who}"), format!("`chmod {mode} {path}`")))
}

fn warning(message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, message: message.into(), place: None, help: Some(help.into()) }
}
