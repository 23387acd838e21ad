//! A policy as far as it fits a database of another time: tables and columns may be missing there.

use crate::config::{PrivacyPolicy, Reference, SubjectRow, TableName};
use crate::privacy::plan::Setting;
use crate::run::Failure;

/// The policy as far as there are tables and columns for it, and what of it found none. `None`: nothing of it.
pub(super) fn fit(setting: &Setting<'_>) -> Result<(Option<PrivacyPolicy>, Vec<String>), Failure> {
    let mut policy = setting.policy.clone();
    let mut warnings = Vec::new();
    let Some(subject) = &mut policy.subject else { return Ok((None, warnings)) };
    let name = subject.table.clone();
    subject.references.retain_mut(|reference| keep(setting, reference, &mut warnings));
    if !has(setting, &name, &subject.key) {
        if subject.references.is_empty() {
            return Ok((None, warnings));
        }
        let text =
            format!("the copy has no `{name}`.`{}`, by which people are known, and yet rows about them", subject.key);
        return Err(Failure::new(text));
    }
    if let SubjectRow::Set(changes) = &mut subject.row {
        changes.retain(|column, _| keep_column(setting, &name, column, &mut warnings));
    }
    Ok((Some(policy), warnings))
}

fn has(setting: &Setting<'_>, table: &TableName, column: &str) -> bool {
    setting.table(table).is_ok_and(|table| table.column(column).is_some())
}

fn keep_column(setting: &Setting<'_>, table: &TableName, column: &str, warnings: &mut Vec<String>) -> bool {
    let there = has(setting, table, column);
    if !there {
        warnings.push(format!("the copy has no `{table}`.`{column}`: nothing is done there"));
    }
    there
}

/// Whether there is something to do by a reference.
fn keep(setting: &Setting<'_>, reference: &mut Reference, warnings: &mut Vec<String>) -> bool {
    let table = reference.table.clone();
    let own = reference.column.iter().map(|column| (&table, column.as_str()));
    let way = reference.via.iter().map(|step| (&step.table, step.column.as_str()));
    if !own.chain(way).all(|(table, column)| keep_column(setting, table, column, warnings)) {
        return false;
    }
    match &mut reference.action {
        SubjectRow::Delete => true,
        SubjectRow::Set(changes) => {
            changes.retain(|column, _| keep_column(setting, &table, column, warnings));
            !changes.is_empty()
        }
    }
}
