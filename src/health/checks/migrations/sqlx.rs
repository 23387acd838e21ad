//! `_sqlx_migrations`, of sqlx and of Caretaker: files `VERSION_what.sql`, or `.up.sql` beside `.down.sql`.
//! <https://docs.rs/sqlx/latest/sqlx/macro.migrate.html>

use super::{Applied, Difference, File, Row, Tool, find};
use sha2::{Digest as _, Sha384};

pub(super) const TOOL: Tool = Tool {
    name: "sqlx",
    table: "_sqlx_migrations",
    find: find!("_sqlx_migrations"),
    rows: "SELECT version::text, CASE WHEN success THEN 'yes' ELSE 'no' END AS success, encode(checksum, 'hex') AS checksum
        FROM _sqlx_migrations m ORDER BY m.version",
    rows_sqlite: "SELECT CAST(version AS TEXT), CASE WHEN success THEN 'yes' ELSE 'no' END, lower(hex(checksum))
        FROM _sqlx_migrations m ORDER BY m.version",
    take,
    compare,
};

fn take(rows: &[Row]) -> Applied {
    let mut applied = Applied::default();
    for row in rows {
        let version = row.text(0);
        if row.is_yes(1) {
            applied.hashes.insert(version.clone(), row.text(2));
            applied.names.push(version);
        } else {
            applied.failed.push(version);
        }
    }
    applied
}

fn hash(bytes: &[u8]) -> String {
    Sha384::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn compare(applied: &Applied, files: &[File]) -> Option<Difference> {
    let version = |file: &File| {
        let name = file.name().strip_suffix(".sql")?;
        let (version, _) = name.split_once('_').filter(|_| !name.ends_with(".down"))?;
        version.parse::<i64>().ok().map(|version| version.to_string())
    };
    let ours: Vec<(String, &File)> = files.iter().filter_map(|file| Some((version(file)?, file))).collect();
    if ours.is_empty() {
        return None;
    }
    let mut difference = Difference::default();
    for (version, file) in ours {
        match applied.hashes.get(&version) {
            None if applied.failed.contains(&version) => {}
            None => difference.pending.push(file.path.clone()),
            Some(known) if *known != hash(&file.bytes) => {
                difference.doubtful.push(format!("{} was changed after it was applied", file.path));
            }
            Some(_) => {}
        }
    }
    Some(difference)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_are_compared_by_version_and_hash_and_those_that_undo_are_left_out() {
        let file = |path: &str| File { path: path.to_owned(), bytes: b"SELECT 1".to_vec() };
        let files = ["1_a.sql", "2_b.up.sql", "2_b.down.sql", "3_c.sql", "4_d.sql", "notes.sql"].map(file);
        let hashes = [("1".to_owned(), hash(b"SELECT 1")), ("2".to_owned(), "other".to_owned())].into();
        let applied = Applied { names: vec!["1".to_owned(), "2".to_owned()], failed: vec!["3".to_owned()], hashes };
        let difference = compare(&applied, &files).unwrap();
        assert_eq!(difference.pending, ["4_d.sql"]);
        assert_eq!(difference.doubtful, ["2_b.up.sql was changed after it was applied"]);
        assert_eq!(compare(&applied, &[file("V1__flyway.sql")]), None);
    }
}
