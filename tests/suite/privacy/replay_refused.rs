//! What keeps erasures from being applied again keeps the copy from being used.

use std::fs;
use std::process::Stdio;

use rstest::rstest;

use super::people::{Key, erase, policy, school};
use super::replay::{NIGHTLY, erased_since_the_backup, on_a_new_machine, restore};
use super::scene::{Ground, Kind};
use crate::backup::codecs::key_pair;
use crate::support::{Database, eventually, patient};

/// Whether everybody may enter.
fn is_open(database: &Database) -> bool {
    let name = &database.name;
    let asked = format!("SELECT has_database_privilege('public', '{name}', 'CONNECT')");
    database.server().sql("postgres", &asked) == "t\n"
}

fn postgres(copy: &Ground) -> &Database {
    match copy {
        Ground::Postgres(database) => database,
        Ground::Sqlite(_) => panic!("this is a SQLite database"),
    }
}

#[rstest]
fn without_the_key_nothing_is_restored_unless_somebody_says_so(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind, Key::Uuid);
    erased_since_the_backup(&scene, Key::Uuid);
    on_a_new_machine(&scene);
    let copy = scene.to_come("restored.db");
    restore(&scene, &copy, &[]).exits(3).complains("there is no key file").complains("--without-replay");
    assert!(!copy.exists());
    // Nor with another one.
    fs::create_dir_all(scene.sandbox.state().join("keys")).unwrap();
    fs::write(scene.sandbox.state().join("keys/privacy.school.key"), "another key of enough bytes").unwrap();
    restore(&scene, &copy, &[]).exits(3).complains("the policy's key is another one");
    assert!(!copy.exists());
    restore(&scene, &copy, &["--without-replay"]).succeeds();
    assert_eq!(copy.count("users"), 11);
    let skipped = scene.logged("replay_skipped");
    assert_eq!((skipped.len(), &skipped[0]["database"]), (1, &"app".into()));
}

#[test]
fn without_the_ledger_nothing_is_restored() {
    let scene = school(Kind::Sqlite, Key::Uuid);
    let (identity, public) = key_pair(&scene.sandbox, "identity");
    let (other, _) = key_pair(&scene.sandbox, "other");
    scene.configure(NIGHTLY, &policy(Key::Uuid));
    scene.sandbox.run_nightly();
    // The ledger is encrypted, the backup was not.
    scene.configure(&format!("{NIGHTLY}encrypt_to = ['{public}']\n"), &policy(Key::Uuid));
    erase(&scene, &Key::Uuid.of(3)).succeeds();
    on_a_new_machine(&scene);
    let copy = scene.to_come("restored.db");
    restore(&scene, &copy, &[]).exits(3).complains("it is encrypted, and no identity was given");
    restore(&scene, &copy, &["--identity", other.to_str().unwrap()]).exits(3).complains("none of the 1 identities");
    let ledger = scene.sandbox.store().join("_caretaker/erasures");
    let away = scene.sandbox.path("away");
    fs::rename(&ledger, &away).unwrap();
    fs::write(&ledger, "not a directory").unwrap();
    restore(&scene, &copy, &[]).exits(3).complains("the ledger of erasures is not read from store local");
    fs::remove_file(&ledger).unwrap();
    fs::rename(&away, &ledger).unwrap();
    assert!(!copy.exists());
    restore(&scene, &copy, &["--identity", identity.to_str().unwrap()]).succeeds();
    assert_eq!(copy.count("users"), 10);
}

#[test]
fn a_store_that_does_not_answer_is_missed_where_this_machine_never_wrote_to_it() {
    let scene = school(Kind::Sqlite, Key::Uuid);
    let ledger = scene.sandbox.path("ledger");
    let store = format!("{NIGHTLY}[stores.ledger]\nkind = 'local'\npath = '{}'\n", ledger.display());
    scene.configure(&store, &format!("stores = ['ledger']\n{}", policy(Key::Uuid)));
    scene.sandbox.run_nightly();
    erase(&scene, &Key::Uuid.of(3)).succeeds();
    let away = scene.sandbox.path("away");
    fs::rename(&ledger, &away).unwrap();
    fs::write(&ledger, "not a directory").unwrap();
    // What it knows itself will do.
    let first = scene.to_come("first.db");
    restore(&scene, &first, &[]).succeeds().says("the ledger of erasures is not read from store ledger");
    assert_eq!(first.count("users"), 10);
    scene.sandbox.state_sql("DELETE FROM erasures; DELETE FROM stores_told; DELETE FROM log_anchors");
    let second = scene.to_come("second.db");
    restore(&scene, &second, &[]).exits(3).complains("the ledger of erasures is not read from store ledger");
    assert!(!second.exists());
    fs::remove_file(&ledger).unwrap();
    fs::rename(&away, &ledger).unwrap();
    restore(&scene, &second, &[]).succeeds().says("1 person in it");
}

#[test]
fn a_policy_that_is_no_more_is_missed() {
    let scene = school(Kind::Sqlite, Key::Uuid);
    erased_since_the_backup(&scene, Key::Uuid);
    scene.configure(NIGHTLY, "[privacy.school.columns]\n'users.id' = 'personal'\n");
    let copy = scene.to_come("restored.db");
    restore(&scene, &copy, &[]).exits(3).complains("1 person was erased under the policy school");
    assert!(!copy.exists());
}

#[rstest]
fn what_cannot_be_erased_stays_closed_until_it_is(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let (scene, key) = (school(kind, Key::Integer), Key::Integer);
    // The tombstone's row came later than the backup.
    scene.sql(&format!("DELETE FROM users WHERE id = {}", key.of(0)));
    scene.configure(NIGHTLY, &policy(key));
    scene.sandbox.run_nightly();
    scene.sql(&format!("INSERT INTO users VALUES ({}, 'nobody')", key.of(0)));
    erase(&scene, &key.of(3)).succeeds();
    let copy = scene.to_come("restored.db");
    let refused = restore(&scene, &copy, &[]).exits(3).complains("which has no row for the tombstone");
    assert_eq!(scene.logged("restore_failed").len(), 1);
    if kind == Kind::Sqlite {
        assert!(!copy.exists());
        return;
    }
    refused.complains("`caretaker privacy replay` goes on");
    let database = postgres(&copy);
    assert!(!is_open(database));
    let role = format!("guest_{}", &database.name[database.name.len() - 8..]).replace('-', "_");
    database.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'guest'"));
    let enter = || {
        let url = database.server().url_as(&role, Some("guest"), &database.name);
        let mut psql = database.server().program("psql");
        crate::support::run(psql.args(["-XAtqc", "SELECT 1", "-d", &url]), b"", patient())
    };
    assert!(enter().stderr.contains("permission denied"));
    database.sql(&format!("INSERT INTO users VALUES ({}, 'nobody')", key.of(0)));
    scene.privacy(&["replay", "app", "--into", &copy.url(), "--yes"]).succeeds().says("1 person in it");
    assert!(is_open(database));
    assert_eq!(enter().succeeds().stdout, "1\n");
    assert_eq!(copy.count("users"), 10 + 1 - 1);
    database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn a_hold_on_somebody_who_was_erased_keeps_the_copy_closed() {
    let (scene, key) = (school(Kind::Postgres, Key::Uuid), Key::Uuid);
    erased_since_the_backup(&scene, key);
    scene.privacy(&["hold", "add", "school", "--subject", &key.of(3), "--reason", "case 7"]).succeeds();
    let copy = scene.to_come("restored.db");
    restore(&scene, &copy, &[]).exits(3).complains("a person who was erased is held by");
    assert!(!is_open(postgres(&copy)));
    assert_eq!(copy.count("users"), 11);
}

#[test]
fn killed_in_the_middle_it_stays_closed_and_is_gone_on_with() {
    let (scene, key) = (school(Kind::Postgres, Key::Uuid), Key::Uuid);
    scene.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.5); RETURN OLD; END$$;
         CREATE TRIGGER slow BEFORE DELETE ON comments FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    scene.configure(NIGHTLY, &policy(key));
    scene.sandbox.run_nightly();
    scene.sql("DROP TRIGGER slow ON comments");
    erase(&scene, &key.of(3)).succeeds();
    let copy = scene.to_come("restored.db");
    let mut command = scene.sandbox.command();
    command.args(["restore", "latest", "--database", "app", "--into", &copy.url()]);
    let mut restoring = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let database = postgres(&copy);
    let at_work = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE '%DELETE FROM%comments%' AND state = 'active'
         AND pid <> pg_backend_pid()",
        database.name
    );
    eventually("it erases", patient(), || (database.server().sql("postgres", &at_work) == "1\n").then_some(()));
    restoring.kill().unwrap();
    restoring.wait().unwrap();
    assert!(!is_open(database));
    database.sql("DROP TRIGGER slow ON comments");
    scene.privacy(&["replay", "app", "--into", &copy.url(), "--yes"]).succeeds().says("1 person in it");
    assert!(is_open(database));
    assert_eq!((copy.count("users"), copy.count("comments")), (10, 54));
}

#[test]
fn a_database_that_cannot_be_closed_is_not_filled() {
    let (scene, key) = (school(Kind::Postgres, Key::Uuid), Key::Uuid);
    erased_since_the_backup(&scene, key);
    let target = scene.postgres().server().database();
    let role = format!("guest_{}", &target.name[target.name.len() - 8..]).replace('-', "_");
    target.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'guest'; GRANT CONNECT ON DATABASE \"{}\" TO {role}",
        target.name
    ));
    let url = target.server().url_as(&role, Some("guest"), &target.name);
    let mut psql = target.server().program("psql");
    let mut guest = psql.args(["-XAtq", "-d", &url]).stdin(Stdio::piped()).spawn().unwrap();
    let here = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'");
    eventually("somebody is in it", patient(), || (target.sql(&here) == "1\n").then_some(()));
    let into = Ground::Postgres(target);
    restore(&scene, &into, &["--yes"]).exits(3).complains("somebody else is connected to it");
    let target = postgres(&into);
    assert_eq!(target.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0\n");
    drop(guest.stdin.take());
    guest.wait().unwrap();
    eventually("nobody is in it", patient(), || (target.sql(&here) == "0\n").then_some(()));
    restore(&scene, &into, &["--yes"]).succeeds().says("1 person in it");
    // The guest may enter again, as before.
    let may = format!("SELECT has_database_privilege('{role}', current_database(), 'CONNECT')");
    assert_eq!((target.sql(&may).as_str(), is_open(target)), ("t\n", true));
    let grants = "SELECT count(*) FROM pg_database, aclexplode(datacl) a WHERE datname = current_database() AND a.privilege_type = 'CONNECT' AND a.grantee = '";
    assert_eq!(target.sql(&format!("{grants}{role}'::regrole")), "1\n");
    target.sql(&format!("REVOKE ALL ON DATABASE \"{}\" FROM {role}; DROP ROLE {role}", target.name));
}

#[test]
fn what_was_cut_off_while_it_was_loaded_is_no_copy() {
    let scene = school(Kind::Postgres, Key::Uuid);
    erased_since_the_backup(&scene, Key::Uuid);
    let copy = Ground::Postgres(scene.postgres().server().database());
    let database = postgres(&copy);
    database.sql(&format!(
        "REVOKE CONNECT ON DATABASE \"{0}\" FROM public; COMMENT ON DATABASE \"{0}\" IS
             'being loaded, and closed by Caretaker; CONNECT was granted to [\"public\"]'",
        database.name
    ));
    scene.privacy(&["replay", "app", "--into", &copy.url(), "--yes"]).exits(3).complains("it is no copy");
    assert!(!is_open(database));
}

#[test]
fn a_copy_is_not_opened_by_a_machine_that_does_not_know_the_policy() {
    let scene = school(Kind::Sqlite, Key::Uuid);
    erased_since_the_backup(&scene, Key::Uuid);
    let copy = scene.to_come("restored.db");
    restore(&scene, &copy, &["--without-replay"]).succeeds();
    on_a_new_machine(&scene);
    scene.configure(NIGHTLY, "[privacy.school.columns]\n'users.id' = 'personal'\n");
    scene
        .privacy(&["replay", "app", "--into", &copy.url(), "--yes"])
        .exits(3)
        .complains("1 person was erased under the policy school");
}

#[test]
fn what_a_killed_restore_has_downloaded_is_removed_by_the_next() {
    let scene = school(Kind::Sqlite, Key::Uuid);
    erased_since_the_backup(&scene, Key::Uuid);
    let left = scene.sandbox.state().join("staging/restore-left");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("data"), "in plain").unwrap();
    restore(&scene, &scene.to_come("restored.db"), &[]).succeeds();
    assert_eq!(fs::read_dir(scene.sandbox.state().join("staging")).unwrap().count(), 0);
}
