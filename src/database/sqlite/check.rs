//! Looking for damage in a copy.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::copy::SqliteCopy;
use super::error::{SqliteError, SqliteErrorKind};
use crate::config::SqliteCheck;

/// How many findings are kept.
const KEPT: usize = 100;

/// Something wrong in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `quick_check`, `integrity_check` or `foreign_key_check`.
    pub check: &'static str,
    /// In words: SQLite's own, or which row refers to nothing.
    pub text: String,
}

/// What the checks found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// The first 100 of each check.
    pub findings: Vec<Finding>,
    /// How many there are. The structure's checks stop at 100 of theirs; orphans are counted to the end.
    pub total: u64,
}

/// Checks a copy: with `Quick` its structure, with `Full` also that each index agrees with its table (much slower), and
/// with both its foreign keys, which neither looks at. Damage that keeps a check from working is a finding, not an error.
///
/// Runs on a blocking thread; dropping the future or cancelling the token ends it.
pub async fn check(copy: &Path, level: SqliteCheck, cancel: &CancellationToken) -> Result<CheckReport, SqliteError> {
    let path = copy.to_owned();
    let cancel = cancel.child_token();
    let _ends_with_us = cancel.clone().drop_guard();
    tokio::task::spawn_blocking(move || run(&path, level, &cancel))
        .await
        .unwrap_or_else(|panic| Err(SqliteError::new(copy, "check", SqliteErrorKind::Other(panic.to_string()))))
}

fn run(path: &Path, level: SqliteCheck, cancel: &CancellationToken) -> Result<CheckReport, SqliteError> {
    let mut report = CheckReport::default();
    let (name, statement) = match level {
        SqliteCheck::None => return Ok(report),
        SqliteCheck::Quick => ("quick_check", "PRAGMA quick_check(100)"),
        SqliteCheck::Full => ("integrity_check", "PRAGMA integrity_check(100)"),
    };
    let copy = SqliteCopy::open(path, cancel)?;
    structure(&copy, statement).or_else(|error| as_finding(&copy, &error)).map(|texts| report.add(name, texts))?;
    foreign_keys(&copy, &mut report)
        .or_else(|error| as_finding(&copy, &error).map(|texts| report.add("foreign_key_check", texts)))?;
    Ok(report)
}

/// One kind of check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `integrity_check`: structure, and that each index agrees with its table.
    Integrity,
    /// `foreign_key_check`, which the other does not look at.
    ForeignKeys,
}

impl Kind {
    /// What is asked.
    pub fn statement(self) -> &'static str {
        match self {
            Self::Integrity => "PRAGMA integrity_check(100)",
            Self::ForeignKeys => "PRAGMA foreign_key_check",
        }
    }
}

/// One kind alone.
pub(super) fn run_one(copy: &SqliteCopy, kind: Kind) -> Result<CheckReport, SqliteError> {
    let mut report = CheckReport::default();
    match kind {
        Kind::Integrity => structure(copy, kind.statement())
            .or_else(|error| as_finding(copy, &error))
            .map(|texts| report.add("integrity_check", texts))?,
        Kind::ForeignKeys => foreign_keys(copy, &mut report)
            .or_else(|error| as_finding(copy, &error).map(|texts| report.add("foreign_key_check", texts)))?,
    }
    Ok(report)
}

impl CheckReport {
    fn add(&mut self, check: &'static str, texts: Vec<String>) {
        self.total += texts.len() as u64;
        self.findings.extend(texts.into_iter().take(KEPT).map(|text| Finding { check, text }));
    }
}

/// Corruption, a missing collation, a mismatched foreign key: SQLite ends the check with an error, and that is the
/// finding. Being cancelled, or a failing disk, is not one.
fn as_finding(copy: &SqliteCopy, error: &rusqlite::Error) -> Result<Vec<String>, SqliteError> {
    let error = copy.failed("check", error);
    match error.kind {
        SqliteErrorKind::Corrupt(text) | SqliteErrorKind::Other(text) => Ok(vec![text]),
        SqliteErrorKind::NotADatabase => Ok(vec![SqliteErrorKind::NotADatabase.to_string()]),
        _ => Err(error),
    }
}

fn structure(copy: &SqliteCopy, statement: &str) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = copy.connection.prepare(statement)?;
    let texts: Result<Vec<String>, _> = statement.query_map([], |row| row.get(0))?.collect();
    Ok(texts?.into_iter().filter(|text| text != "ok").collect())
}

fn foreign_keys(copy: &SqliteCopy, report: &mut CheckReport) -> Result<(), rusqlite::Error> {
    let mut statement = copy.connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    let mut kept = 0;
    while let Some(row) = rows.next()? {
        report.total += 1;
        if kept < KEPT {
            kept += 1;
            let (table, rowid, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let row = rowid.map_or_else(|| "a row".to_owned(), |rowid| format!("row {rowid}"));
            let text = format!("{row} of {table} refers to a row of {parent} that does not exist");
            report.findings.push(Finding { check: "foreign_key_check", text });
        }
    }
    Ok(())
}
