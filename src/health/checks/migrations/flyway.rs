//! `flyway_schema_history`: files `V1_2__what.sql`, and `R__what.sql` that are repeated.
//! <https://documentation.red-gate.com/fd/migrations-184127470.html>

use super::{Applied, Difference, File, Row, Tool, find};

pub(super) const TOOL: Tool = Tool {
    name: "flyway",
    table: "flyway_schema_history",
    find: find!("flyway_schema_history"),
    rows: ROWS,
    rows_sqlite: ROWS,
    take,
    compare,
};

/// What a baseline is kept as: everything up to it counts as applied.
const BASELINE: &str = "baseline ";

const ROWS: &str = "SELECT version, type, script, CASE WHEN success THEN 'yes' ELSE 'no' END AS success
    FROM flyway_schema_history ORDER BY installed_rank";

fn take(rows: &[Row]) -> Applied {
    let mut applied = Applied::default();
    for row in rows {
        let (version, kind, script) = (row.text(0), row.text(1), row.text(2));
        let name = if version.is_empty() { script.clone() } else { version };
        let name = if kind == "BASELINE" { format!("{BASELINE}{name}") } else { name };
        if !row.is_yes(3) {
            applied.failed.push(script);
        } else if kind.starts_with("UNDO") {
            applied.names.retain(|known| *known != name);
        } else if kind != "SCHEMA" {
            applied.names.push(name);
        }
    }
    applied
}

/// `1_2_0` and `1.2` are one version.
fn parts(version: &str) -> Vec<u64> {
    let mut parts: Vec<u64> = version.split(['.', '_']).map(|part| part.parse().unwrap_or(0)).collect();
    while parts.last() == Some(&0) {
        parts.pop();
    }
    parts
}

fn compare(applied: &Applied, files: &[File]) -> Option<Difference> {
    let known: Vec<Vec<u64>> = applied.names.iter().map(|name| parts(name)).collect();
    let baseline = applied.names.iter().filter_map(|name| name.strip_prefix(BASELINE)).map(parts).max();
    let is_pending = |file: &File| -> Option<bool> {
        let (prefix, _) = file.name().strip_suffix(".sql")?.split_once("__")?;
        match (prefix.strip_prefix('V'), prefix) {
            (Some(version), _) if version.starts_with(|c: char| c.is_ascii_digit()) => {
                let version = parts(version);
                Some(!known.contains(&version) && baseline.as_ref().is_none_or(|baseline| version > *baseline))
            }
            (None, "R") => Some(!applied.names.iter().any(|name| name.ends_with(file.name()))),
            _ => None,
        }
    };
    let ours: Vec<(bool, &File)> = files.iter().filter_map(|file| Some((is_pending(file)?, file))).collect();
    if ours.is_empty() {
        return None;
    }
    let is_failed = |file: &File| applied.failed.iter().any(|script| script.ends_with(file.name()));
    let pending = ours.iter().filter(|(is_pending, file)| *is_pending && !is_failed(file));
    Some(Difference { pending: pending.map(|(_, file)| file.path.clone()).collect(), doubtful: Vec::new() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn versions_are_numbers_and_a_baseline_covers_what_came_before() {
        let files = ["V1__a.sql", "V1_2__b.sql", "V2.0__c.sql", "V10__d.sql", "R__views.sql", "U2__undo.sql"]
            .map(|path| File { path: path.to_owned(), bytes: Vec::new() });
        let applied =
            |names: &[&str]| Applied { names: names.iter().map(|n| (*n).to_owned()).collect(), ..Applied::default() };
        let pending = |names: &[&str]| compare(&applied(names), &files).unwrap().pending;
        assert_eq!(pending(&["1", "1.2", "2", "10", "R__views.sql"]), Vec::<String>::new());
        assert_eq!(pending(&["1", "1.2", "2"]), ["V10__d.sql", "R__views.sql"]);
        assert_eq!(pending(&["baseline 1.2", "R__views.sql"]), ["V2.0__c.sql", "V10__d.sql"]);
        assert_eq!(compare(&applied(&[]), &files[5..]), None);
    }
}
