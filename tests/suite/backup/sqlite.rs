//! SQLite databases as they are found: in use, not checkpointed, damaged, or none at all.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use rstest::rstest;
use rusqlite::Connection;

use crate::support::{Sandbox, nightly, sqlite_url, stock};

/// A sandbox whose `backup.nightly` is of this file.
fn job_of(path: &str, more: &str) -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let path = sandbox.path(path);
    sandbox.configure(&nightly("notes", &sqlite_url(&path), &["local"], more));
    (sandbox, path)
}

/// Takes a backup and unpacks it with stock tools.
#[track_caller]
fn unpacked(sandbox: &Sandbox) -> PathBuf {
    let folder = sandbox.run_nightly();
    let plain = sandbox.path("unpacked.db");
    stock::decompress(&folder.join("data.db.zst"), &plain);
    assert_eq!(stock::sqlite(&plain, "PRAGMA integrity_check;"), "ok\n");
    plain
}

#[rstest]
#[case::wal("WAL")]
#[case::rollback_journal("DELETE")]
fn a_database_under_writers_is_copied_as_of_one_instant(#[case] journal: &str) {
    let (sandbox, path) = job_of("notes.db", "");
    stock::sqlite(
        &path,
        &format!(
            "PRAGMA journal_mode = {journal}; CREATE TABLE debit (i, pad); CREATE TABLE credit (i); \
             CREATE TABLE ballast AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
             SELECT i, randomblob(500) FROM n;"
        ),
    );
    let stop = AtomicBool::new(false);
    let plain = std::thread::scope(|scope| {
        scope.spawn(|| {
            let connection = Connection::open(&path).unwrap();
            connection.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
            connection.pragma_update(None, "synchronous", "OFF").unwrap();
            while !stop.load(Ordering::Relaxed) {
                let both = "BEGIN IMMEDIATE; INSERT INTO debit VALUES (1, randomblob(900)); INSERT INTO credit VALUES (1); COMMIT";
                connection.execute_batch(both).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        });
        let plain = std::panic::catch_unwind(|| unpacked(&sandbox));
        stop.store(true, Ordering::Relaxed);
        plain.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    let counts = stock::sqlite(&plain, "SELECT (SELECT count(*) FROM debit) - (SELECT count(*) FROM credit);");
    assert_eq!(counts, "0\n");
}

#[test]
fn what_is_only_in_the_write_ahead_log_is_in_the_backup() {
    let (sandbox, path) = job_of("notes.db", "");
    let connection = Connection::open(&path).unwrap();
    let setup =
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (i); INSERT INTO t VALUES (1), (2)";
    connection.execute_batch(setup).unwrap();
    assert!(fs::metadata(&path).unwrap().len() < 5000, "not checkpointed");
    assert_eq!(stock::sqlite(&unpacked(&sandbox), "SELECT count(*) FROM t;"), "2\n");
    drop(connection);
}

#[test]
fn the_copy_is_page_for_page_and_the_source_is_left_as_it_was() {
    let (sandbox, path) = job_of("notes.db", "");
    stock::sqlite(&path, "CREATE TABLE t (v); INSERT INTO t VALUES (1), (2), (3); DELETE FROM t WHERE v = 2;");
    let before = fs::read(&path).unwrap();
    let plain = unpacked(&sandbox);
    assert!(fs::read(&path).unwrap() == before, "the source has changed");
    assert_eq!(stock::sqlite(&plain, "SELECT rowid, v FROM t;"), "1|1\n3|3\n");
    assert_eq!(fs::metadata(&plain).unwrap().len(), fs::metadata(&path).unwrap().len());
}

#[rstest]
#[case::missing("does not exist", |_: &PathBuf| {})]
#[case::a_directory("not a file", |path: &PathBuf| fs::create_dir(path).unwrap())]
#[case::garbage("not a SQLite database", |path: &PathBuf| fs::write(path, [7_u8; 9000]).unwrap())]
#[case::empty("0 bytes", |path: &PathBuf| fs::write(path, "").unwrap())]
fn what_is_no_database_is_an_error_and_never_an_empty_backup(#[case] error: &str, #[case] make: fn(&PathBuf)) {
    let (sandbox, path) = job_of("notes.db", "");
    make(&path);
    let existed = path.exists();
    let said = sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains(error).complains("notes.db");
    assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
    assert_eq!(path.exists(), existed, "it must not be made");
    sandbox.assert_nothing_left();
}

/// Overwrites a page of a table, so that quick_check finds it.
fn damage(path: &PathBuf) {
    let mut bytes = fs::read(path).unwrap();
    let page = bytes.len() / 2 / 4096 * 4096;
    bytes[page..page + 2000].fill(0xa5);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_database_is_kept_as_it_is_and_does_not_count_as_a_good_backup() {
    let (sandbox, path) = job_of("notes.db", "retention = 'last 1'");
    let made = sandbox.sqlite("notes.db", 2000);
    stock::sqlite(&made, "PRAGMA journal_mode = DELETE;");
    let good = sandbox.run_nightly();
    damage(&path);
    let said = sandbox.caretaker(&["job", "run", "nightly"]).exits(1);
    assert!(said.stderr.contains("damaged"), "{}", said.stderr);

    let listed = sandbox.listed();
    assert_eq!(listed.len(), 2, "the good one stays although `last 1`: {listed:#?}");
    assert_eq!((&listed[0]["verified"], &listed[1]["verified"]), (&"bad".into(), &serde_json::Value::Null));
    let kept = sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds();
    assert!(good.join("manifest.json").exists(), "{}", kept.stdout);
    // The newest that is good is what `latest` means.
    let into = sqlite_url(&sandbox.path("new.db"));
    sandbox.caretaker(&["restore", "latest", "--database", "notes", "--into", &into]).succeeds();
    assert_eq!(stock::sqlite(&sandbox.path("new.db"), "SELECT count(*) FROM note;"), "2000\n");
}

#[test]
fn rows_that_refer_to_nothing_are_a_warning_and_the_backup_is_good() {
    let (sandbox, path) = job_of("notes.db", "");
    stock::sqlite(
        &path,
        "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a); INSERT INTO b VALUES (1), (2);",
    );
    let folder = sandbox.run_nightly();
    let warnings = Sandbox::manifest(&folder)["warnings"].to_string();
    assert!(warnings.contains("row 1 of b refers to a row of a"), "{warnings}");
    sandbox.caretaker(&["backup", "verify", "latest"]).succeeds();
}

#[test]
fn tables_of_every_shape_come_back_with_the_same_rows() {
    let (sandbox, path) = job_of("notes.db", "");
    stock::sqlite(
        &path,
        "CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w VALUES ('a', 1), ('b', NULL), ('', x'00ff');
         CREATE TABLE s (i INTEGER, r REAL, t TEXT, b BLOB, a ANY) STRICT; INSERT INTO s VALUES (1, 2.5, 'é', x'00', -1e300);
         CREATE VIRTUAL TABLE f USING fts5 (body); INSERT INTO f VALUES ('the quick brown fox'), ('lazy dogs');
         CREATE TABLE \"odd \"\"name\" (\"a b\", g AS (1 + 1)); INSERT INTO \"odd \"\"name\" VALUES (9);
         CREATE TABLE none (i); CREATE INDEX i ON s (t); CREATE VIEW v AS SELECT * FROM w;",
    );
    sandbox.run_nightly();
    let new = sandbox.path("new.db");
    let said = sandbox.json(&["restore", "latest", "--database", "notes", "--into", &sqlite_url(&new)]);
    assert_eq!(said["result"]["comparison"]["same"], true, "{said:#}");
    assert_eq!(stock::sqlite(&new, "SELECT count(*) FROM f WHERE f MATCH 'quick';"), "1\n");
    assert_eq!(stock::sqlite(&new, ".dump"), stock::sqlite(&path, ".dump"));
}
