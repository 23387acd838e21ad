//! What makes the queue: printed, made, removed, and what it lets whom do.

use std::process::Stdio;

use rstest::rstest;

use super::people::Key;
use super::queue::{anonymous, ask, club, drain, erasures, install, policy, with_queue};
use super::scene::{Kind, Scene};
use crate::support::{eventually, patient, psql, unique};

fn printed(scene: &Scene, more: &[&str]) -> String {
    scene.privacy(&[&["install-triggers", "school"], more].concat()).succeeds().stdout
}

#[rstest]
fn what_is_printed_does_it_and_can_be_run_again(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let key = Key::Text;
    let scene = club(kind, key);
    scene.policy(&policy(key, ""));
    for _ in 0..2 {
        let script = printed(&scene, &[]);
        scene.sql(&script);
        scene.sql(&format!("DELETE FROM users WHERE id = '{}'", key.of(scene.count("leaving") as u32 + 1)));
    }
    assert_eq!(scene.count("leaving"), 2, "once for each");
    install(&scene);
    assert_eq!(scene.count("leaving"), 2, "what stands there stays");
    drain(&scene).succeeds();
    let script = printed(&scene, &["--uninstall", "--dry-run"]);
    scene.sql(&script);
    scene.sql(&format!("DELETE FROM users WHERE id = '{}'", key.of(3)));
    scene.sql("CREATE TABLE leaving (id integer)");
}

#[rstest]
fn it_is_removed_only_when_nobody_waits_there(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let key = Key::Uuid;
    let scene = with_queue(kind, key);
    ask(&scene, &key.of(3));
    let uninstall = |more: &[&str]| scene.privacy(&[&["install-triggers", "school", "--uninstall"], more].concat());
    uninstall(&[]).exits(3).complains("not confirmed");
    uninstall(&["--yes"]).exits(3).complains("requests stand in the queue").complains("--forget-requests");
    // Neither is gone.
    scene.sql(&format!("DELETE FROM users WHERE id = '{}'", key.of(4)));
    assert_eq!(scene.count("leaving"), 2);
    drain(&scene).succeeds();
    uninstall(&["--yes"]).succeeds().says("is gone");
    scene.sql(&format!("DELETE FROM users WHERE id = '{}'", key.of(5)));
    scene.sql("CREATE TABLE leaving (id integer); DROP TABLE leaving");
    install(&scene);
    ask(&scene, &key.of(5));
    uninstall(&["--yes", "--forget-requests"]).succeeds();
    assert_eq!(erasures(&scene).len(), 2);
}

#[test]
fn a_policy_without_a_queue_is_told_how_to_name_one() {
    let scene = club(Kind::Sqlite, Key::Uuid);
    scene.policy(&policy(Key::Uuid, "").replace("queue = 'leaving'\nqueue_every = '1s'\n", ""));
    scene
        .privacy(&["install-triggers", "school"])
        .exits(2)
        .complains("has no queue")
        .complains("queue = \"caretaker_erasures\"");
}

/// A role with a password that may log in.
fn role(scene: &Scene) -> String {
    let role = unique("role");
    scene.sql(&format!("CREATE ROLE \"{role}\" LOGIN PASSWORD 'open-sesame'"));
    role
}

fn forget(scene: &Scene, roles: &[&str]) {
    for role in roles {
        scene.sql(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\""));
    }
}

#[test]
fn who_may_delete_a_person_needs_nothing_on_the_queue_and_reads_nothing_there() {
    let key = Key::Uuid;
    let scene = with_queue(Kind::Postgres, key);
    let app = role(&scene);
    scene.sql(&format!("GRANT SELECT, DELETE ON users TO \"{app}\"; GRANT CREATE ON SCHEMA public TO \"{app}\""));
    let as_app = |sql: &str| {
        let database = scene.postgres();
        psql(database.server(), &database.name, &format!("SET ROLE \"{app}\"; {sql}"))
    };
    as_app(&format!("DELETE FROM users WHERE id = '{}'", key.of(3))).succeeds();
    assert_eq!(scene.count("leaving"), 1);
    as_app("SELECT * FROM leaving").exits(3).complains("permission denied");
    as_app(&format!("INSERT INTO leaving (subject) VALUES ('{}')", key.of(4))).exits(3).complains("permission denied");
    // Nor does the function do it for them from a table of their own, or by names that they put before the server's.
    as_app(
        "CREATE TABLE mine (id uuid); CREATE TRIGGER t AFTER DELETE ON mine FOR EACH ROW EXECUTE FUNCTION \
         caretaker_erasure_school()",
    )
    .exits(3)
    .complains("permission denied for function");
    // One that is told of people may be let write, and nothing else.
    scene.sql(&format!("GRANT INSERT (subject, reason, received) ON leaving TO \"{app}\""));
    as_app(&format!("INSERT INTO leaving (subject, reason) VALUES ('{}', 'ticket')", key.of(4))).succeeds();
    as_app(&format!("INSERT INTO leaving (subject, by_trigger) VALUES ('{}', true)", key.of(4))).exits(3);
    drain(&scene).succeeds();
    assert_eq!(anonymous(&scene, key), 4);
    forget(&scene, &[&app]);
}

#[test]
fn what_caretakers_own_role_needs_is_printed_and_granted() {
    let key = Key::Uuid;
    let scene = with_queue(Kind::Postgres, key);
    let ours = role(&scene);
    let database = scene.postgres();
    scene.sql(&format!(
        "GRANT SELECT, DELETE ON users, scores TO \"{ours}\"; GRANT SELECT, UPDATE ON sessions TO \"{ours}\""
    ));
    let password = scene.sandbox.secret("password", "open-sesame");
    let url = database.server().url_as(&ours, None, &database.name);
    scene.sandbox.configure(&format!(
        "[databases.app]\nurl = '{url}'\npassword_file = '{}'\n[privacy.school]\ndatabase = 'app'\n{}",
        password.display(),
        policy(key, "")
    ));
    ask(&scene, &key.of(3));
    let grant = format!("GRANT SELECT, DELETE, UPDATE (\"taken\") ON \"public\".\"leaving\" TO \"{ours}\";");
    scene.sandbox.caretaker(&["database", "grants", "app"]).exits(5).says(&grant);
    drain(&scene).exits(1).complains("permission denied for table leaving").complains("caretaker database grants app");
    // The script that a DBA runs names the role that printed it.
    let script = printed(&scene, &[]);
    scene.sql(&script);
    drain(&scene).succeeds();
    assert_eq!((anonymous(&scene, key), scene.count("leaving")), (2, 0));
    forget(&scene, &[&ours]);
}

#[test]
fn others_who_may_read_the_queue_are_named() {
    let scene = club(Kind::Postgres, Key::Uuid);
    let reader = role(&scene);
    scene.sql(&format!("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO \"{reader}\""));
    scene.policy(&policy(Key::Uuid, ""));
    scene.privacy(&["install-triggers", "school", "--install"]).succeeds().complains(&format!("may read it: {reader}"));
    forget(&scene, &[&reader]);
}

#[test]
fn it_waits_for_nobody_long_and_does_all_or_nothing() {
    let scene = club(Kind::Postgres, Key::Uuid);
    scene.policy(&policy(Key::Uuid, "batch = { lock_timeout = '200ms' }"));
    let database = scene.postgres();
    let mut other = database.server().program("psql");
    other.args(["-XAtq", "-d", &database.socket_url()]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut other = other.spawn().unwrap();
    let mut says = other.stdin.take().unwrap();
    std::io::Write::write_all(&mut says, b"BEGIN; LOCK TABLE users IN ROW EXCLUSIVE MODE;\n").unwrap();
    let held = "pg_locks WHERE relation = 'users'::regclass AND mode = 'RowExclusiveLock'";
    eventually("it is locked", patient(), || (scene.count(held) == 1).then_some(()));
    let refused = scene.privacy(&["install-triggers", "school", "--install"]);
    refused.exits(1).complains("lock timeout").complains("somebody else holds a lock");
    assert_eq!(scene.count("pg_class WHERE relname = 'leaving'"), 0);
    drop(says);
    assert!(other.wait().unwrap().success());
    install(&scene);
}

#[test]
fn partitions_tell_too_and_a_row_that_moves_between_them_stays() {
    let scene = Scene::new(
        Kind::Postgres,
        "CREATE TABLE users (id uuid, region integer) PARTITION BY LIST (region);
         CREATE TABLE users_1 PARTITION OF users FOR VALUES IN (1);
         CREATE TABLE users_2 PARTITION OF users FOR VALUES IN (2);
         CREATE TABLE sessions (id integer PRIMARY KEY, user_id uuid, ip text);
         CREATE TABLE scores (id integer PRIMARY KEY, user_id uuid);",
    );
    let key = Key::Uuid;
    scene.sql(&format!(
        "INSERT INTO users VALUES ('{0}', 1), ('{1}', 1); INSERT INTO sessions VALUES (1, '{0}', 'a'), (2, '{1}', 'b')",
        key.of(1),
        key.of(2)
    ));
    scene.policy(&policy(key, ""));
    install(&scene);
    scene.sql(&format!("DELETE FROM users_1 WHERE id = '{}'; UPDATE users SET region = 2", key.of(1)));
    drain(&scene).succeeds();
    assert_eq!((scene.count("leaving"), scene.count("users"), anonymous(&scene, key)), (0, 1, 1));
}
