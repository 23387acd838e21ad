//! What tests of the main job start from: a job, a database, and looks at what has become of them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Bucket, Database, Sandbox};

/// The lines of a `[databases.NAME]` and a `[backup.nightly]` table, without a schedule.
pub fn nightly(database: &str, url: &str, stores: &[&str], more: &str) -> String {
    let stores: Vec<String> = stores.iter().map(|store| format!("'{store}'")).collect();
    format!(
        "[databases.{database}]\nurl = \"{url}\"\n\n[backup.nightly]\ndatabase = '{database}'\nstores = [{}]\n{more}\n",
        stores.join(", ")
    )
}

/// The URL of a SQLite file.
pub fn sqlite_url(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

/// Fills a database with 2,000 empty tables that have 5,000 indexes.
pub fn fill_with_tables(database: &Database) {
    for part in 0..8 {
        // A transaction for each part: all of them together would need more locks than a server has room for.
        database.sql(&format!(
            "DO $$ BEGIN FOR i IN 1..250 LOOP
                EXECUTE format('CREATE TABLE t{part}_%s (id int PRIMARY KEY, a int, b text)', i);
                EXECUTE format('CREATE INDEX ON t{part}_%s (a)', i);
                IF i % 2 = 0 THEN EXECUTE format('CREATE INDEX ON t{part}_%s (b)', i); END IF;
            END LOOP; END $$"
        ));
    }
    let count = "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = indrelid WHERE c.relname LIKE 't%' \
                 AND relnamespace = 'public'::regnamespace";
    assert_eq!(database.sql(count), "5000\n");
}

impl Sandbox {
    /// What a command prints as JSON. It must succeed.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = ["--format", "json"].into_iter().chain(arguments.iter().copied()).collect();
        self.caretaker(&arguments).succeeds().json()
    }

    /// The catalogue: `backup list`, the newest first.
    #[track_caller]
    pub fn listed(&self) -> Vec<Value> {
        self.json(&["backup", "list"]).as_array().unwrap().clone()
    }

    /// Runs `backup.nightly` by hand and gives the folder of its backup in the store `local`.
    #[track_caller]
    pub fn run_nightly(&self) -> PathBuf {
        let said = self.caretaker(&["--format", "json", "job", "run", "nightly"]).succeeds().json();
        let id = said["summary"]["backup"].as_str().unwrap();
        let database = self.listed().iter().find(|backup| backup["id"] == id).unwrap()["database"].clone();
        self.store().join(database.as_str().unwrap()).join(id)
    }

    /// Asserts that a failed backup has left nothing: no file in the store `local`, nothing in staging, no entry in the
    /// catalogue that could be taken for a backup.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        assert_eq!(files(&self.store()), Vec::<PathBuf>::new(), "in the local store");
        assert_eq!(files(&self.state().join("staging")), Vec::<PathBuf>::new(), "in staging");
        assert_eq!(self.listed(), Vec::<Value>::new(), "in the catalogue");
    }
}

impl Bucket {
    /// Asserts that it holds neither objects nor unfinished uploads.
    #[track_caller]
    pub fn assert_empty(&self) {
        assert_eq!(self.keys(), Vec::<String>::new(), "in the bucket");
        assert_eq!(self.unfinished_uploads(), Vec::<String>::new(), "multipart uploads");
    }
}

impl Database {
    /// A table of so many rows that do not compress well: about 300 bytes each.
    pub fn fill(&self, table: &str, rows: u32) {
        self.sql(&format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, body text); INSERT INTO {table} SELECT i, \
             (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 9) j) FROM generate_series(1, {rows}) i"
        ));
    }
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Changes one byte in the middle of a file.
pub fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}
