//! A backup of several copies, some of them bad.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Database, Outcome, Postgres, Sandbox, files, flip, nightly, sqlite_url, stock, unique};

/// A backup in the stores `local` and `other`, its folder in each, and what it is a backup of.
struct Scene {
    sandbox: Sandbox,
    local: PathBuf,
    other: PathBuf,
    database: Option<Database>,
}

impl Scene {
    fn new(url: &str, sandbox: Sandbox, database: Option<Database>) -> Self {
        fs::create_dir(sandbox.path("other")).unwrap();
        let store = format!("[stores.other]\nkind = 'local'\npath = '{}'\n\n", sandbox.path("other").display());
        sandbox.configure(&format!("{store}{}", nightly("app", url, &["local", "other"], "")));
        let local = sandbox.run_nightly();
        let other = sandbox.path("other/app").join(local.file_name().unwrap());
        Self { sandbox, local, other, database }
    }

    fn sqlite() -> Self {
        let sandbox = Sandbox::new();
        let url = sqlite_url(&sandbox.sqlite("notes.db", 300));
        Self::new(&url, sandbox, None)
    }

    fn postgres() -> Self {
        let database = Postgres::shared().database();
        database.fill("t", 5000);
        Self::new(&database.url(), Sandbox::new(), Some(database))
    }

    fn restore(&self, url: &str) -> Outcome {
        self.sandbox.caretaker(&["--format", "json", "restore", "latest", "--database", "app", "--into", url, "--yes"])
    }

    /// Into a new SQLite file.
    fn restore_file(&self) -> Outcome {
        self.restore(&sqlite_url(&self.sandbox.path("new.db")))
    }

    fn verify(&self, more: &[&str]) -> Outcome {
        let id = self.local.file_name().unwrap().to_str().unwrap();
        self.sandbox.caretaker(&[&["backup", "verify", id], more].concat())
    }

    /// What the catalogue says of the oldest backup: its state, that of its copies, and what verifications have found.
    fn known(&self) -> (String, Vec<String>, Value) {
        let backup = self.sandbox.listed().pop().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let copies = backup["copies"].as_array().unwrap().iter().map(|copy| text(&copy["state"])).collect();
        (text(&backup["state"]), copies, backup["verified"].clone())
    }

    #[track_caller]
    fn assert_known(&self, state: &str, copies: [&str; 2], verified: &Value) {
        assert_eq!(self.known(), (state.to_owned(), copies.map(str::to_owned).to_vec(), verified.clone()));
    }
}

fn same(said: &Outcome) {
    let said = said.json();
    assert_eq!((&said["plan"]["store"], &said["result"]["comparison"]["same"]), (&"other".into(), &true.into()));
}

#[test]
fn a_restore_that_meets_a_bad_copy_names_it_records_it_and_goes_on_with_the_next() {
    let scene = Scene::sqlite();
    flip(&scene.local.join("data.db.zst"));
    same(&scene.restore_file().succeeds().complains("in local").complains("data.db.zst"));
    scene.assert_known("partial", ["bad", "complete"], &Value::Null);
    // Known to be bad, it is not tried first any more.
    fs::remove_file(scene.sandbox.path("new.db")).unwrap();
    let again = scene.restore_file().succeeds();
    assert!(!again.stderr.contains("local"), "{}", again.stderr);
}

#[test]
fn a_new_postgresql_database_comes_from_the_good_copy_alone() {
    let scene = Scene::postgres();
    flip(&scene.local.join("data.dump.zst"));
    let (new, server) = (unique("restored"), scene.database.as_ref().unwrap().server());
    same(&scene.restore(&server.url(&new)).succeeds().complains("in local").complains("data.dump.zst"));
    assert_eq!(server.sql(&new, "SELECT count(*) FROM t"), "5000\n");
    server.sql("postgres", &format!("DROP DATABASE \"{new}\""));
}

#[test]
fn an_empty_postgresql_database_stays_empty_until_a_copy_is_proven() {
    let scene = Scene::postgres();
    let target = scene.database.as_ref().unwrap().server().database();
    let tables = || target.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'");
    flip(&scene.other.join("data.dump.zst"));
    let good = fs::read(scene.local.join("data.dump.zst")).unwrap();
    flip(&scene.local.join("data.dump.zst"));
    scene.restore(&target.url()).exits(5).complains("in local").complains("in other");
    assert_eq!(tables(), "0\n");
    scene.assert_known("failed", ["bad", "bad"], &"bad".into());
    // Repaired by hand, a copy is taken again, by its id.
    fs::write(scene.other.join("data.dump.zst"), good).unwrap();
    let id = scene.local.file_name().unwrap().to_str().unwrap();
    let command = ["restore", id, "--database", "app", "--into", &target.url(), "--yes"];
    scene.sandbox.caretaker(&command).succeeds().says("same hash");
}

#[test]
fn a_store_that_does_not_answer_is_passed_over_and_not_held_against_its_copy() {
    let scene = Scene::sqlite();
    fs::rename(scene.sandbox.store(), scene.sandbox.path("away")).unwrap();
    fs::write(scene.sandbox.store(), "no directory").unwrap();
    same(&scene.restore_file().succeeds().complains("not restored").complains("in local"));
    fs::remove_file(scene.sandbox.store()).unwrap();
    fs::rename(scene.sandbox.path("away"), scene.sandbox.store()).unwrap();
    scene.assert_known("complete", ["complete", "complete"], &Value::Null);
}

#[test]
fn a_dry_run_records_nothing() {
    let scene = Scene::sqlite();
    fs::remove_file(scene.local.join("manifest.json")).unwrap();
    let into = sqlite_url(&scene.sandbox.path("new.db"));
    scene
        .sandbox
        .caretaker(&["restore", "latest", "--database", "app", "--into", &into, "--dry-run"])
        .succeeds()
        .complains("in local")
        .says("other");
    scene.assert_known("complete", ["complete", "complete"], &Value::Null);
}

#[test]
fn verifying_one_store_says_what_is_true_of_that_copy_and_no_more() {
    let scene = Scene::sqlite();
    let data = scene.local.join("data.db.zst");
    flip(&data);
    scene.verify(&["--store", "local"]).exits(5).says("BAD");
    scene.assert_known("partial", ["bad", "complete"], &Value::Null);
    scene.verify(&["--store", "other"]).succeeds();
    scene.assert_known("partial", ["bad", "complete"], &"good".into());
    // The catalogue follows what is found, also when somebody has repaired it.
    flip(&data);
    scene.verify(&["--store", "local"]).succeeds();
    scene.assert_known("complete", ["complete", "complete"], &"good".into());
    scene.verify(&["--store", "locl"]).exits(2).complains("`local`");
}

#[test]
fn a_bad_copy_is_replaced_by_the_jobs_next_run() {
    let scene = Scene::sqlite();
    flip(&scene.local.join("data.db.zst"));
    scene.verify(&["--store", "local"]).exits(5);
    scene.sandbox.run_nightly();
    scene.assert_known("complete", ["complete", "complete"], &Value::Null);
    scene.verify(&[]).succeeds();
}

#[test]
fn a_bad_copy_that_cannot_be_replaced_is_kept() {
    let scene = Scene::postgres();
    let had = files(&scene.local);
    flip(&scene.local.join("globals.sql.zst"));
    scene.verify(&["--store", "local"]).exits(5);
    // The other one is no better, which nobody knows yet.
    flip(&scene.other.join("data.dump.zst"));
    scene.sandbox.run_nightly();
    assert_eq!(files(&scene.local), had);
    assert_eq!(scene.known().1, ["bad", "complete"]);
    // Together they still hold everything.
    let new = unique("restored");
    let server = scene.database.as_ref().unwrap().server();
    let id = scene.local.file_name().unwrap().to_str().unwrap();
    let command = ["restore", id, "--database", "app", "--into", &server.url(&new)];
    scene.sandbox.caretaker(&command).succeeds().complains("in other").says("from store local");
    server.sql("postgres", &format!("DROP DATABASE \"{new}\""));
}

#[test]
fn damage_that_was_backed_up_is_held_against_the_backup_not_against_a_copy() {
    let scene = Scene::sqlite();
    for folder in [&scene.local, &scene.other] {
        replace_with_damage(&scene.sandbox, folder);
    }
    scene.verify(&["--store", "local"]).exits(5).says("BAD");
    scene.assert_known("complete", ["complete", "complete"], &"bad".into());
}

/// Makes a backup whose bytes are those of its manifest, and no good database.
fn replace_with_damage(sandbox: &Sandbox, folder: &Path) {
    let path = sandbox.path("damaged.db");
    fs::copy(sandbox.path("notes.db"), &path).unwrap();
    stock::sqlite(&path, "PRAGMA journal_mode = DELETE;");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0);
    fs::write(&path, &bytes).unwrap();
    let stored = folder.join("data.db.zst");
    stock::shell(r#"zstd -qf "$1" -o "$2""#, &[&path, &stored]).succeeds();
    let mut manifest = Sandbox::manifest(folder);
    let object = &mut manifest["objects"][0];
    object["bytes"] = fs::metadata(&stored).unwrap().len().into();
    object["sha256"] = stock::sha256(&stored).into();
    object["plain_bytes"] = bytes.len().into();
    object["plain_sha256"] = stock::sha256(&path).into();
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
}
