//! A backup verified where it is: every object downloaded and hashed, and the archive read to its end by the tool that
//! would restore it.

use std::io::{Read, Write};

use serde::Serialize;

use super::source::BackupSource;
use super::{RestoreContext, Trouble};
use crate::archive::manifest::Object;
use crate::config::{SqliteCheck, StoreName};
use crate::database::postgres::ProcessErrorKind as Kind;
use crate::database::{postgres, sqlite};
use crate::run::Failure;

/// What the verification of one copy has found.
#[derive(Debug, Clone, Serialize)]
pub struct CopyReport {
    /// The store.
    pub store: String,
    /// Sizes and hashes of all objects are those of the manifest, as far as they were looked at.
    pub hashes: bool,
    /// The archive was read to its end, by what: `pg_restore …`, `integrity_check`; `None`: it was not looked into.
    pub readable: Option<String>,
    /// What is wrong.
    pub problems: Vec<String>,
    /// What could not be looked at, and why.
    pub remarks: Vec<String>,
}

impl CopyReport {
    /// Nothing found yet.
    fn new(store: &StoreName) -> Self {
        let store = store.to_string();
        Self { store, hashes: true, readable: None, problems: Vec::new(), remarks: Vec::new() }
    }

    /// Of a copy whose bytes are not those of the manifest.
    pub fn bad(store: &StoreName, found: Failure) -> Self {
        let mut report = Self::new(store);
        report.is_bad(found);
        report
    }

    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    fn is_bad(&mut self, found: Failure) {
        self.hashes = false;
        self.problems.push(found.message);
    }
}

/// What a tool says of an archive whose bytes are those of the manifest.
enum Reading {
    /// Read to its end, by this.
    Whole(String),
    /// It is damaged, and so it is in every copy.
    Damaged(Failure),
}

/// Verifies one copy. An error means that it could not be looked at; what is wrong with it stands in the report.
pub async fn verify_copy(source: &BackupSource, context: &RestoreContext<'_>) -> Result<CopyReport, Failure> {
    let mut report = CopyReport::new(source.store.name());
    let mut unseen = None;
    for object in &source.manifest.objects {
        let outcome = if object.name.ends_with(".age") && context.identities.is_empty() {
            let remark =
                format!("{}: encrypted, and no --identity given: only its stored bytes were checked", object.name);
            report.remarks.push(remark);
            check_stored(source, object, context).await.map(|()| None)
        } else if object.name.starts_with("data.dump") {
            archive(source, object, context).await.map(Some)
        } else if object.name.starts_with("data.db") {
            database(source, object, context).await.map(Some)
        } else {
            let drain = |reader: &mut dyn Read| std::io::copy(reader, &mut std::io::sink());
            source.read(object, &context.identities, &context.progress, &context.cancel, drain).await.map(|_| None)
        };
        match outcome {
            Ok(Some(Reading::Whole(by))) => report.readable = Some(by),
            Ok(Some(Reading::Damaged(found))) => report.problems.push(found.message),
            Ok(None) => {}
            Err(_) if context.cancel.is_cancelled() => return Err(Failure::new("cancelled")),
            // What could not be looked at has not shown a bad backup.
            Err(Trouble::Unreachable(failure)) => {
                unseen.get_or_insert(failure);
                break;
            }
            Err(Trouble::Unseen(failure)) => match check_stored(source, object, context).await {
                Err(Trouble::Bad(worse)) => report.is_bad(worse),
                _ => {
                    unseen.get_or_insert(failure);
                }
            },
            Err(Trouble::Bad(failure)) => report.is_bad(failure),
        }
    }
    match unseen {
        // One bad object is enough to know.
        Some(failure) if report.is_good() => Err(failure),
        _ => Ok(report),
    }
}

/// Without the key to an object, or the tool for it, its stored bytes can still be compared; the store must answer.
async fn check_stored(source: &BackupSource, object: &Object, context: &RestoreContext<'_>) -> Result<(), Trouble> {
    source.check_stored(object, &context.progress, &context.cancel).await
}

/// PostgreSQL: pg_restore turns the whole archive into SQL and throws it away.
async fn archive(source: &BackupSource, object: &Object, context: &RestoreContext<'_>) -> Result<Reading, Trouble> {
    context.progress.phase("verify");
    let writer = writer_major(source);
    let bindir = context.config.daemon.pg_bindir.as_deref();
    let tool = postgres::find(postgres::Program::PgRestore, postgres::Wanted::to_read(writer), bindir).await?;
    let mut check = postgres::check_archive(&tool, source.manifest.id.as_str(), context.staging)?;
    let mut pipe = check.take_stdin().ok_or_else(|| Failure::new("a bug: pg_restore has no input"))?;
    let feed = move |reader: &mut dyn Read| {
        // pg_restore may end before it has taken every byte; the rest is hashed all the same.
        match std::io::copy(reader, &mut pipe) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(error),
            Ok(_) => pipe.flush(),
        }
    };
    let read = source.read(object, &context.identities, &context.progress, &context.cancel, feed);
    let (read, checked) = tokio::join!(read, check.wait());
    read?;
    match checked {
        Ok(_) => Ok(Reading::Whole(tool.version)),
        Err(error) => match error.kind {
            // About this machine, not about the archive.
            Kind::NotStarted | Kind::Killed | Kind::NoSpace(_) | Kind::VersionMismatch(_) => Err(error.into()),
            _ => Ok(Reading::Damaged(error.into())),
        },
    }
}

/// SQLite: staged and checked in full.
async fn database(source: &BackupSource, object: &Object, context: &RestoreContext<'_>) -> Result<Reading, Trouble> {
    let staged = super::sqlite::stage(source, object, context).await?;
    context.progress.phase("check");
    let found = sqlite::check(staged.path(), SqliteCheck::Full, &context.cancel).await?;
    let damage: Vec<_> = found.findings.iter().filter(|finding| finding.check != "foreign_key_check").collect();
    match damage.first() {
        None => Ok(Reading::Whole("integrity_check".to_owned())),
        Some(first) => {
            let text = format!("{}: {} ({} findings)", object.name, first.text, found.total);
            Ok(Reading::Damaged(Failure::new(text)))
        }
    }
}

/// The major version of the pg_dump that wrote the backup: `pg_dump (PostgreSQL) 15.18 …` → 15. Without it any tool is
/// tried.
pub(super) fn writer_major(source: &BackupSource) -> u32 {
    let version = source.manifest.tools.pg_dump.as_deref().unwrap_or_default();
    let number = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    number.and_then(|number| number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).unwrap_or(0)
}
