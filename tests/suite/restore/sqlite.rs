//! `restore --into sqlite://…`

use std::fs;

use crate::support::{Outcome, Postgres, Sandbox, files, flip, nightly, sqlite_url, stock};

/// A backup of a database of 300 notes.
fn backed_up() -> (Sandbox, std::path::PathBuf) {
    let sandbox = Sandbox::new();
    let url = sqlite_url(&sandbox.sqlite("notes.db", 300));
    sandbox.configure(&nightly("notes", &url, &["local"], ""));
    let folder = sandbox.run_nightly();
    fs::create_dir(sandbox.path("into")).unwrap();
    (sandbox, folder)
}

fn restore(sandbox: &Sandbox, more: &[&str]) -> Outcome {
    let url = sqlite_url(&sandbox.path("into/new.db"));
    let command = ["restore", "latest", "--database", "notes", "--into", &url];
    sandbox.caretaker(&command.iter().chain(more).copied().collect::<Vec<_>>())
}

#[test]
fn a_new_file_is_made_and_compared() {
    let (sandbox, _) = backed_up();
    restore(&sandbox, &["--dry-run"]).succeeds().says("new.db");
    assert!(files(&sandbox.path("into")).is_empty());
    restore(&sandbox, &[]).succeeds().says("main.note").says("same hash");
    assert_eq!(
        stock::sqlite(&sandbox.path("into/new.db"), "PRAGMA integrity_check; SELECT count(*) FROM note;"),
        "ok\n300\n"
    );
}

#[test]
fn a_file_that_is_there_is_never_overwritten() {
    let (sandbox, _) = backed_up();
    fs::write(sandbox.path("into/new.db"), "mine").unwrap();
    restore(&sandbox, &["--yes"]).exits(3).complains("not empty");
    assert_eq!(fs::read(sandbox.path("into/new.db")).unwrap(), b"mine");
}

#[test]
fn a_log_of_a_former_database_is_never_played_into_the_new_one() {
    let (sandbox, _) = backed_up();
    fs::write(sandbox.path("into/new.db-wal"), "a former database's").unwrap();
    let said = restore(&sandbox, &["--yes"]);
    assert!([1, 3].contains(&said.code()) && said.stderr.contains("-wal"), "{}", said.stderr);
    assert!(!sandbox.path("into/new.db").exists());
}

#[test]
fn a_damaged_backup_leaves_no_file() {
    let (sandbox, folder) = backed_up();
    flip(&folder.join("data.db.zst"));
    restore(&sandbox, &[]).exits(5).complains("data.db.zst");
    assert!(files(&sandbox.path("into")).is_empty());
    assert!(files(&sandbox.state().join("staging")).is_empty());
}

#[test]
fn rows_other_than_the_manifests_are_found() {
    let (sandbox, folder) = backed_up();
    let mut manifest = Sandbox::manifest(&folder);
    manifest["tables"][0]["rows"] = 299.into();
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    restore(&sandbox, &[]).exits(5).says("299").says("NOT the same");
}

#[test]
fn a_target_of_the_other_kind_or_in_no_folder_is_refused() {
    let (sandbox, _) = backed_up();
    let into = |url: &str| sandbox.caretaker(&["restore", "latest", "--database", "notes", "--into", url, "--yes"]);
    into(&Postgres::shared().url("never")).exits(1).complains("cannot be restored into PostgreSQL");
    let nowhere = sqlite_url(&sandbox.path("nowhere/new.db"));
    into(&nowhere).exits(1).complains("does not exist");
}

#[test]
fn a_backup_of_another_database_is_not_taken() {
    let (sandbox, folder) = backed_up();
    let other = sqlite_url(&sandbox.sqlite("other.db", 1));
    let url = sqlite_url(&sandbox.path("notes.db"));
    let job = nightly("notes", &url, &["local"], "");
    sandbox.configure(&format!("{job}[databases.other]\nurl = '{other}'\n"));
    let id = folder.file_name().unwrap().to_str().unwrap();
    let into = sqlite_url(&sandbox.path("into/new.db"));
    sandbox.caretaker(&["restore", id, "--database", "other", "--into", &into]).exits(2).complains("notes");
    sandbox
        .caretaker(&["restore", "latest", "--database", "other", "--into", &into])
        .exits(1)
        .complains("no complete backup");
}
