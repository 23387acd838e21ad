//! Jobs of pg_cron that may work on the same tables. <https://github.com/citusdata/pg_cron>

use std::collections::BTreeSet;

use super::Setting;
use crate::privacy::fragment::{Scalar, Statement};
use crate::privacy::ground::{Ground, GroundError, Trouble};

/// Where pg_cron keeps its jobs, in the one database in which it is installed.
const IS_THERE: &str = "SELECT (to_regclass('cron.job') IS NOT NULL)::text";

/// Older versions have fewer columns. Jobs of other databases are theirs.
const JOBS: &str = "SELECT jobid::text, coalesce(to_jsonb(j) ->> 'jobname', ''), schedule, command FROM cron.job j
    WHERE database = current_database() AND active ORDER BY jobid";

/// A word about each job whose command names one of the policy's tables.
///
/// # Errors
///
/// When the database cannot be asked any more.
pub async fn jobs(ground: &mut dyn Ground, setting: &Setting<'_>) -> Result<Vec<String>, GroundError> {
    if !setting.dialect.has_pages() {
        return Ok(Vec::new());
    }
    let question = |sql: &str| Statement { sql: sql.to_owned(), values: Vec::new() };
    let there = ground.ask(&question(IS_THERE)).await?;
    if there.first().and_then(|row| row.first()).and_then(Scalar::shown).as_deref() != Some("true") {
        return Ok(Vec::new());
    }
    let rows = match ground.ask(&question(JOBS)).await {
        Ok(rows) => rows,
        Err(error) if error.kind == Trouble::Lost => return Err(error),
        // Each role sees its own jobs only, by row security.
        Err(error) => return Ok(vec![format!("pg_cron is installed, and its jobs could not be looked at: {error}")]),
    };
    let tables = tables(setting);
    let mut warnings = Vec::new();
    for row in rows {
        let text: Vec<String> = row.iter().map(|value| value.shown().unwrap_or_default()).collect();
        let [id, name, schedule, command] = text.as_slice() else { continue };
        let words = words(command);
        let named: Vec<&str> = tables.iter().map(String::as_str).filter(|table| words.contains(*table)).collect();
        if !named.is_empty() {
            let what = if name.is_empty() { id.clone() } else { format!("{id} ({name})") };
            warnings.push(format!(
                "the pg_cron job {what}, at `{schedule}`, names {}: see that it does not do the same, or the opposite",
                named.iter().map(|table| format!("`{table}`")).collect::<Vec<_>>().join(", ")
            ));
        }
    }
    Ok(warnings)
}

/// The names of the tables that the policy is about, in lower case.
fn tables(setting: &Setting<'_>) -> BTreeSet<String> {
    let policy = setting.policy;
    let subject = policy.subject.iter();
    let references = subject.clone().flat_map(|subject| &subject.references).map(|reference| &reference.table);
    let all =
        policy.rules.iter().map(|rule| &rule.table).chain(subject.map(|subject| &subject.table)).chain(references);
    all.map(|table| table.name.to_lowercase()).collect()
}

/// The words of a command, as names are made of.
fn words(command: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    command.split(|c| !is_part(c)).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_named_by_its_whole_name() {
        let words = words("DELETE FROM public.\"Note\" WHERE note_id IN (SELECT 1)");
        assert!(words.contains("note") && words.contains("note_id"));
        assert!(!words.contains("not") && !words.contains("public.note"));
    }
}
