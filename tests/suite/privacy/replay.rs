//! Whoever was erased does not come back with a backup.

use std::fs;

use rstest::rstest;

use super::people::{Key, erase, others, others_in, policy, school};
use super::scene::{Ground, Kind, Scene};
use crate::backup::codecs::key_pair;
use crate::support::Outcome;

/// A nightly backup of the school.
pub const NIGHTLY: &str = "[backup.nightly]\ndatabase = 'app'\nstores = ['local']\nretention = 'last 5'\n";

/// Backs the school up, then erases person 3.
pub fn erased_since_the_backup(scene: &Scene, key: Key) {
    scene.configure(NIGHTLY, &policy(key));
    scene.sandbox.run_nightly();
    erase(scene, &key.of(3)).succeeds();
}

/// Restores the latest backup.
pub fn restore(scene: &Scene, into: &Ground, more: &[&str]) -> Outcome {
    let command = ["restore", "latest", "--database", "app", "--into", &into.url()];
    scene.sandbox.caretaker(&[&command, more].concat())
}

/// Forgets what this machine knows of erasures and their keys.
pub fn on_a_new_machine(scene: &Scene) {
    scene.sandbox.state_sql("DELETE FROM erasures; DELETE FROM stores_told");
    fs::remove_dir_all(scene.sandbox.state().join("keys")).unwrap();
}

#[rstest]
fn a_restored_old_backup_comes_up_without_the_erased_person(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
    #[values(Key::Integer, Key::Uuid, Key::Text)] key: Key,
) {
    let scene = school(kind, key);
    let before = others(&scene);
    erased_since_the_backup(&scene, key);
    let copy = scene.to_come("restored.db");
    // Compared with the manifest first: what was backed up is what was restored.
    let told = restore(&scene, &copy, &[]).succeeds().says("the same as the backup");
    told.says("school: 1 erasure is applied again: 1 person in it, 31 rows changed or gone");
    assert_eq!(others_in(|sql| copy.sql(sql)), before);
    let nobody = key.of(0);
    assert_eq!(copy.count("users"), 10);
    assert_eq!(copy.count(&format!("sessions WHERE id % 10 = 2 AND user_id = '{nobody}' AND ip IS NULL")), 6);
    assert_eq!(copy.count("versions WHERE id % 10 = 2 AND body IS NULL"), 6);
    assert_eq!(copy.count("comments"), 54);
    if let Ground::Postgres(database) = &copy {
        // Open to whom it would have been open.
        let public = "SELECT has_database_privilege('public', current_database(), 'CONNECT')";
        assert_eq!(database.sql(public), "t\n");
        assert_eq!(
            database.sql(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
            ),
            "\n"
        );
    }
    let replayed = scene.logged("erasures_replayed");
    assert_eq!((&replayed[0]["detail"]["people"], &replayed[0]["detail"]["rows"]), (&1.into(), &31.into()));
    assert_eq!((scene.logged("restore_started").len(), scene.logged("backup_restored").len()), (1, 1));
    scene.privacy(&["verify-log"]).succeeds();
}

#[rstest]
fn a_new_machine_reads_ledger_and_key_from_the_stores(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let (scene, key) = (school(kind, Key::Uuid), Key::Uuid);
    let (identity, public) = key_pair(&scene.sandbox, "identity");
    let backup = format!("{NIGHTLY}encrypt_to = ['{public}']\n");
    scene.configure(&backup, &policy(key));
    scene.sandbox.run_nightly();
    erase(&scene, &key.of(3)).succeeds();
    on_a_new_machine(&scene);
    let identity = identity.to_str().unwrap();
    let copy = scene.to_come("restored.db");
    let plan = restore(&scene, &copy, &["--identity", identity, "--dry-run", "--format", "json"]).succeeds().json();
    assert_eq!(plan["replay"], 1);
    assert_eq!(scene.sandbox.state_lines("SELECT count(*) FROM erasures"), ["0"]);
    restore(&scene, &copy, &["--identity", identity]).succeeds().says("1 person in it");
    assert_eq!((copy.count("users"), copy.count("comments")), (10, 54));
    // From now on it knows both itself.
    assert_eq!(scene.sandbox.state_lines("SELECT state FROM erasures"), ["completed"]);
    assert_eq!(scene.logged("ledger_adopted").len(), 1);
    fs::remove_dir_all(scene.sandbox.store().join("_caretaker/erasures")).unwrap();
    let second = scene.to_come("second.db");
    restore(&scene, &second, &["--identity", identity]).succeeds().says("1 person in it");
    erase(&scene, &key.of(3)).succeeds().says("nothing is found: erased ");
}

#[test]
fn what_is_in_the_stores_tells_nobody_who_it_was_and_is_never_replaced() {
    let (scene, key) = (school(Kind::Sqlite, Key::Text), Key::Text);
    erased_since_the_backup(&scene, key);
    let ledger = crate::support::files(&scene.sandbox.store().join("_caretaker/erasures/app"));
    let texts: Vec<String> = ledger.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert_eq!(ledger.len(), 1, "the store is told once, after the erasure");
    assert!(ledger[0].to_str().unwrap().ends_with("-completed.json"), "{ledger:?}");
    assert!(texts.iter().all(|text| !text.contains(&key.of(3)) && text.contains("subject_hmac")));
    erase(&scene, &key.of(4)).succeeds();
    assert_eq!(fs::read_to_string(&ledger[0]).unwrap(), texts[0]);
    // Without encryption there is nothing to encrypt the key to: it is not written.
    assert!(!scene.sandbox.store().join("_caretaker/keys").exists());
}

#[rstest]
fn people_whom_the_backup_never_knew_and_those_who_are_deferred_are_left_alone(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
) {
    let (scene, key) = (school(kind, Key::Integer), Key::Integer);
    erased_since_the_backup(&scene, key);
    erase(&scene, "987654321").succeeds();
    scene.privacy(&["hold", "add", "school", "--subject", &key.of(5), "--reason", "case 7"]).succeeds();
    erase(&scene, &key.of(5)).exits(3);
    let copy = scene.to_come("restored.db");
    let told = restore(&scene, &copy, &[]).succeeds().says("school: 2 erasures are applied again: 1 person in it");
    assert!(told.stdout.contains("1 erasure is deferred by holds"), "{}", told.stdout);
    assert_eq!(copy.count(&format!("users WHERE id = {}", key.of(5))), 1);
}

#[test]
fn a_key_that_was_given_to_somebody_else_is_said() {
    let (scene, key) = (school(Kind::Sqlite, Key::Integer), Key::Integer);
    erased_since_the_backup(&scene, key);
    scene.sql(&format!("INSERT INTO users VALUES ({}, 'somebody else')", key.of(3)));
    scene.sandbox.run_nightly();
    let copy = scene.to_come("restored.db");
    let told = restore(&scene, &copy, &[]).succeeds();
    assert!(
        told.stdout.contains("1 person was erased before the backup was made and stood in it again"),
        "{}",
        told.stdout
    );
    assert_eq!(copy.count("users WHERE name = 'somebody else'"), 0);
}

#[rstest]
fn a_backup_of_an_older_schema_is_searched_as_far_as_it_goes(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let (scene, key) = (school(kind, Key::Integer), Key::Integer);
    scene.configure(NIGHTLY, &policy(key));
    scene.sandbox.run_nightly();
    scene.sql("CREATE TABLE badges (id integer PRIMARY KEY, user_id integer, title text); ALTER TABLE sessions ADD COLUMN agent text");
    let badges = "[[privacy.school.subject.references]]\ntable = 'badges'\ncolumn = 'user_id'\naction = 'delete'\n";
    let newer = policy(key).replace("ip = 'null'", "ip = 'null', agent = 'null'");
    scene.configure(NIGHTLY, &format!("{newer}{badges}"));
    erase(&scene, &key.of(3)).succeeds();
    let copy = scene.to_come("restored.db");
    let told = restore(&scene, &copy, &[]).succeeds().says("the copy has no `badges`.`user_id`");
    assert!(told.stdout.contains("the copy has no `sessions`.`agent`"), "{}", told.stdout);
    assert_eq!((copy.count("users"), copy.count("sessions WHERE ip IS NULL")), (10, 6));
}

#[rstest]
fn a_copy_that_is_there_already_is_reached_too(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let (scene, key) = (school(kind, Key::Uuid), Key::Uuid);
    erased_since_the_backup(&scene, key);
    let copy = scene.to_come("restored.db");
    restore(&scene, &copy, &["--without-replay"]).succeeds();
    assert_eq!((copy.count("users"), scene.logged("replay_skipped").len()), (11, 1));
    // Whoever is erased next is told where they may still be.
    let erased = |person| {
        let command = ["erase", "school", "--subject", &key.of(person), "--yes", "--format", "json"];
        scene.privacy(&command).succeeds().json()["certificate"]["remains"]["copies"].clone()
    };
    let name = copy.url().rsplit('/').next().unwrap().split('?').next().unwrap().replace("%2D", "-");
    let copies = erased(4);
    assert!(copies[0]["into"].as_str().unwrap().contains(&name.replace("%5F", "_")), "{copies} {name}");
    scene.privacy(&["replay", "app", "--into", &copy.url()]).exits(3).complains("--yes");
    scene.privacy(&["replay", "app", "--into", &copy.url(), "--yes"]).succeeds().says("2 people in it");
    assert_eq!((copy.count("users"), copy.count("comments")), (9, 48));
    scene.privacy(&["replay", "app", "--into", &copy.url(), "--yes"]).succeeds().says("0 people in it, 0 rows");
    if let Ground::Sqlite(path) = &copy {
        fs::remove_file(path).unwrap();
        assert_eq!(erased(5), serde_json::json!([]));
    }
}
