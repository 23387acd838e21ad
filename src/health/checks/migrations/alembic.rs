//! `alembic_version`: the heads that were reached. The folder's files say which comes after which.
//! <https://alembic.sqlalchemy.org/en/latest/tutorial.html>

use std::collections::{BTreeMap, BTreeSet};

use super::{Applied, Difference, File, Row, Tool, find};

pub(super) const TOOL: Tool = Tool {
    name: "alembic",
    table: "alembic_version",
    find: find!("alembic_version"),
    rows: ROWS,
    rows_sqlite: ROWS,
    take,
    compare,
};

const ROWS: &str = "SELECT version_num FROM alembic_version ORDER BY version_num";

fn take(rows: &[Row]) -> Applied {
    Applied { names: rows.iter().map(|row| row.text(0)).collect(), ..Applied::default() }
}

/// The texts in quotes that a variable of the file's top level is set to: `down_revision: str = "a1b2"`.
fn texts(source: &str, variable: &str) -> Option<Vec<String>> {
    let line = source
        .lines()
        .position(|line| line.strip_prefix(variable).is_some_and(|rest| rest.trim_start().starts_with([':', '='])))?;
    let rest: Vec<&str> = source.lines().skip(line).collect();
    let rest = rest.join("\n");
    let (_, value) = rest.split_once('=')?;
    let value = value.trim_start();
    let end = if value.starts_with(['(', '[']) { value.find([')', ']']) } else { value.find('\n') };
    let value = &value[..end.unwrap_or(value.len())];
    // A comment ends a line; revisions hold no `#`.
    let value: String = value.lines().map(|line| line.split('#').next().unwrap_or_default()).collect();
    Some(value.split(['"', '\'']).skip(1).step_by(2).map(str::to_owned).collect())
}

fn compare(applied: &Applied, files: &[File]) -> Option<Difference> {
    let mut parents: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.path.ends_with(".py")) {
        let source = String::from_utf8_lossy(&file.bytes);
        if let (Some(own), Some(before)) = (texts(&source, "revision"), texts(&source, "down_revision")) {
            parents.extend(own.into_iter().next().map(|own| (own, before)));
        }
    }
    if parents.is_empty() {
        return None;
    }
    let mut difference = Difference::default();
    let mut reached = BTreeSet::new();
    let mut open: Vec<&String> = applied.names.iter().collect();
    while let Some(revision) = open.pop() {
        match parents.get(revision) {
            Some(before) if reached.insert(revision) => open.extend(before),
            Some(_) => {}
            None => difference.doubtful.push(format!("{revision} is not in the folder")),
        }
    }
    difference.pending = parents.keys().filter(|revision| !reached.contains(revision)).cloned().collect();
    Some(difference)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file(text: &str) -> File {
        File { path: "versions/x.py".to_owned(), bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn what_no_applied_head_comes_after_is_pending() {
        let files = [
            file("revision = 'a1'\ndown_revision = None\n"),
            file("revision: str = \"b2\"\ndown_revision: Union[str, None] = \"a1\"  # after 'zz'\n"),
            file("revision = 'c3'\ndown_revision = 'a1'\n"),
            file("revision = 'd4'\ndown_revision = (\n    'b2',\n    'c3',\n)\n"),
        ];
        let heads =
            |names: &[&str]| Applied { names: names.iter().map(|n| (*n).to_owned()).collect(), ..Applied::default() };
        assert_eq!(compare(&heads(&["d4"]), &files).unwrap(), Difference::default());
        assert_eq!(compare(&heads(&["b2"]), &files).unwrap().pending, ["c3", "d4"]);
        assert_eq!(compare(&heads(&["b2", "c3"]), &files).unwrap().pending, ["d4"]);
        assert_eq!(compare(&heads(&[]), &files).unwrap().pending.len(), 4);
        assert_eq!(compare(&heads(&["gone"]), &files).unwrap().doubtful, ["gone is not in the folder"]);
        assert_eq!(compare(&heads(&["d4"]), &[file("import os\n")]), None);
    }
}
