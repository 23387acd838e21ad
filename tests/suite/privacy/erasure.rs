//! Erasing a person: all that is theirs, nothing else, and nobody can read from the ledger who it was.

use std::process::Stdio;

use rstest::rstest;
use serde_json::Value;

use super::people::{Key, erase, others, policy, remembered, school};
use super::scene::{Kind, Scene};
use crate::support::{eventually, patient};

fn erasures(scene: &Scene) -> Vec<Value> {
    scene.privacy(&["erasures", "school", "--format", "json"]).succeeds().json().as_array().unwrap().clone()
}

#[rstest]
fn what_is_theirs_goes_or_changes_as_declared_and_nothing_else_does(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
    #[values(Key::Integer, Key::Uuid, Key::Text)] key: Key,
) {
    let scene = school(kind, key);
    scene.policy(&policy(key));
    let before = others(&scene);
    erase(&scene, &key.of(3)).succeeds().says("found after   0 rows in 6 places");
    assert_eq!(others(&scene), before);
    assert_eq!(scene.count("users"), 10);
    let nobody = key.of(0);
    let theirs = "id % 10 = 2";
    assert_eq!(scene.count(&format!("sessions WHERE {theirs} AND user_id = '{nobody}' AND ip IS NULL")), 6);
    assert_eq!(
        scene.count(&format!(
            "responses WHERE {theirs} AND user_id = '{nobody}' AND session_id IS NULL AND answer IS NOT NULL"
        )),
        6
    );
    assert_eq!(scene.count(&format!("essays WHERE {theirs} AND student_id = '{nobody}'")), 6);
    assert_eq!(scene.count(&format!("versions WHERE {theirs} AND body IS NULL AND essay_id = id")), 6);
    assert_eq!((scene.count(&format!("comments WHERE {theirs}")), scene.count("comments")), (0, 54));
}

#[rstest]
fn neither_ledger_nor_log_tells_who_it_was(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
    #[values(Key::Uuid, Key::Text)] key: Key,
) {
    let scene = school(kind, key);
    scene.policy(&policy(key));
    let id = key.of(3);
    scene.privacy(&["erase", "school", "--subject", &id, "--dry-run"]).succeeds().says("comments");
    let told = erase(&scene, &id).succeeds();
    assert!(!told.stdout.contains(&id) && !told.stderr.contains(&id), "{}{}", told.stdout, told.stderr);
    let bytes = remembered(&scene);
    assert!(bytes.windows(9).any(|window| window == b"completed"), "it looks into the right files");
    assert!(!bytes.windows(id.len()).any(|window| window.eq_ignore_ascii_case(id.as_bytes())));
    let (requested, completed) = (scene.logged("erasure_requested"), scene.logged("erasure_completed"));
    assert_eq!((requested.len(), completed.len()), (1, 1));
    assert_eq!(requested[0]["detail"]["subject_hmac"].as_str().unwrap().len(), 64);
    assert_eq!(completed[0]["detail"]["rows"], 6 * 5 + 1);
    scene.privacy(&["verify-log"]).succeeds();
}

#[rstest]
fn asking_a_second_time_finds_nothing_and_says_so(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind, Key::Uuid);
    scene.policy(&policy(Key::Uuid));
    erase(&scene, &Key::Uuid.of(3)).succeeds();
    // The same person in another spelling.
    erase(&scene, &Key::Uuid.of(3).to_uppercase()).succeeds().says("nothing is found: erased ");
    assert_eq!(erasures(&scene).len(), 1);
    // One who was never there is written down: an old backup may still have them.
    erase(&scene, "00000000-0000-4000-8000-000000000099").succeeds();
    assert_eq!(erasures(&scene).len(), 2);
}

#[test]
fn a_person_is_found_however_their_uuid_is_spelled() {
    let scene = school(Kind::Sqlite, Key::Uuid);
    let id = Key::Uuid.of(3);
    scene.sql(&format!(
        "PRAGMA foreign_keys = OFF; UPDATE users SET id = upper(id) WHERE id = '{id}';
         UPDATE sessions SET user_id = upper(user_id) WHERE user_id = '{id}'"
    ));
    scene.policy(&policy(Key::Uuid));
    scene.sql(&format!("PRAGMA foreign_keys = OFF; DELETE FROM essays WHERE student_id = '{id}'; DELETE FROM responses WHERE user_id = '{id}'; DELETE FROM versions WHERE id % 10 = 2"));
    erase(&scene, &id).succeeds();
    assert_eq!((scene.count("users"), scene.count("sessions WHERE ip IS NULL")), (10, 6));
}

#[rstest]
fn a_dry_run_writes_nothing(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind, Key::Integer);
    scene.policy(&policy(Key::Integer));
    let seen = scene.privacy(&["erase", "school", "--subject", &Key::Integer.of(3), "--dry-run", "--format", "json"]);
    let found: u64 =
        seen.succeeds().json()["references"].as_array().unwrap().iter().map(|one| one["rows"].as_u64().unwrap()).sum();
    assert_eq!(found, 31);
    assert_eq!((scene.count("users"), erasures(&scene).len(), scene.logged("erasure_requested").len()), (11, 0, 0));
}

#[rstest]
fn the_certificate_says_what_was_done_and_what_remains(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind, Key::Integer);
    scene.configure(
        "[backup.nightly]\ndatabase = 'app'\nstores = ['local']\nschedule = '0 2 * * *'\n\
         retention = { keep_last = 7 }",
        &policy(Key::Integer),
    );
    scene.sandbox.caretaker(&["job", "run", "backup.nightly"]).succeeds();
    let told = scene.privacy(&[
        "erase",
        "school",
        "--subject",
        &Key::Integer.of(3),
        "--yes",
        "--reason",
        "ticket 12",
        "--format",
        "json",
    ]);
    let erasure = told.succeeds().json();
    let certificate = &erasure["certificate"];
    assert_eq!(certificate["reason"], "ticket 12");
    let rows = |list: &Value| list.as_array().unwrap().iter().map(|one| one["rows"].as_u64().unwrap()).sum::<u64>();
    assert_eq!((rows(&certificate["references"]), rows(&certificate["residual"])), (31, 0));
    // Six more, and the seventh pushes it out.
    let backups = &certificate["remains"]["backups"][0];
    assert_eq!((&backups["job"], &backups["count"]), (&"nightly".into(), &1.into()));
    let last: jiff::Timestamp = backups["last_expires_not_before"].as_str().unwrap().parse().unwrap();
    let days = last.duration_since(jiff::Timestamp::now()).as_hours() / 24;
    assert_eq!(days, 6);
    let id = erasure["id"].as_str().unwrap();
    scene.privacy(&["erasures", "--show", id]).succeeds().says("the last does not expire before").says("ticket 12");
}

#[rstest]
fn a_hold_defers_it_until_the_hold_is_released(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
    #[values(true, false)] by_person: bool,
) {
    let key = Key::Uuid;
    let scene = school(kind, key);
    scene.policy(&policy(key));
    let id = key.of(3);
    let what: &[&str] = if by_person { &["--subject", &id] } else { &["--table", "responses", "--where", "id = 32"] };
    let hold =
        scene.privacy(&[&["hold", "add", "school", "--reason", "case 7", "--format", "json"], what].concat()).json();
    let hold = hold["id"].as_str().unwrap().to_owned();
    erase(&scene, &id).exits(3).complains(&hold);
    assert_eq!((scene.count("users"), scene.count("comments")), (11, 60));
    assert_eq!((&erasures(&scene)[0]["state"], scene.logged("erasure_deferred").len()), (&"deferred".into(), 1));
    // Somebody else's goes all the same.
    erase(&scene, &key.of(4)).succeeds();
    // Nothing but the hold knows who it is; released, the person is found again by the HMAC.
    scene.privacy(&["hold", "release", &hold]).succeeds().says("found after   0 rows");
    assert_eq!((scene.count("users"), scene.count("comments")), (9, 48));
    assert!(erasures(&scene).iter().all(|erasure| erasure["state"] == "completed"));
}

#[rstest]
fn a_random_tombstone_is_the_same_for_one_person_and_another_for_the_next(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
) {
    let scene = Scene::new(
        kind,
        "CREATE TABLE users (id text PRIMARY KEY);
         CREATE TABLE sessions (id integer PRIMARY KEY, user_id text);
         CREATE TABLE scores (user_id text, quiz integer, PRIMARY KEY (user_id, quiz));
         INSERT INTO users VALUES ('ann'), ('bob'), ('cy');
         INSERT INTO sessions VALUES (1, 'ann'), (2, 'ann'), (3, 'bob'), (4, 'cy');
         INSERT INTO scores VALUES ('ann', 1), ('ann', 2), ('bob', 1), ('cy', 1);",
    );
    let reference = |table: &str| {
        format!(
            "[[privacy.school.subject.references]]\ntable = '{table}'\ncolumn = 'user_id'\nset = {{ user_id = 'tombstone' }}\n"
        )
    };
    let subject = "[privacy.school.subject]\ntable = 'users'\nkey = 'id'\ntombstone = 'random'\n";
    scene.policy(&format!("{subject}{}{}", reference("sessions"), reference("scores")));
    for person in ["ann", "bob"] {
        erase(&scene, person).succeeds();
    }
    assert_eq!(scene.sql("SELECT count(DISTINCT user_id) FROM sessions WHERE id <= 2"), "1");
    assert_eq!(scene.sql("SELECT count(DISTINCT user_id) FROM sessions"), "3");
    let both = "SELECT count(*) FROM (SELECT user_id FROM sessions INTERSECT SELECT user_id FROM scores) AS same";
    assert_eq!(scene.sql(both), "3");
    assert_eq!(scene.count("scores WHERE user_id IN ('ann', 'bob')"), 0);
    assert_eq!(scene.count("scores WHERE user_id = 'cy'"), 1);
}

#[test]
fn one_that_was_killed_is_gone_on_with() {
    let scene = school(Kind::Postgres, Key::Uuid);
    let id = Key::Uuid.of(3);
    scene.sql(&format!(
        "CREATE TABLE notes (id serial PRIMARY KEY, who uuid, body text);
         INSERT INTO notes (who, body) SELECT '{id}', 'b' FROM generate_series(1, 4000);
         INSERT INTO notes (who, body) SELECT '{}', 'b' FROM generate_series(1, 100);
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.001); RETURN OLD; END$$;
         CREATE TRIGGER slow BEFORE DELETE ON notes FOR EACH ROW EXECUTE FUNCTION slow()",
        Key::Uuid.of(4)
    ));
    let notes = "[[privacy.school.subject.references]]\ntable = 'notes'\ncolumn = 'who'\naction = 'delete'\n";
    let rule = "[[privacy.school.rules]]\nname = 'none'\ntable = 'comments'\nage_column = 'made'\nolder_than = '9 years'\naction = 'delete'\n";
    scene.sql("ALTER TABLE comments ADD COLUMN made timestamptz");
    scene.policy(&format!("{rule}{}{notes}", policy(Key::Uuid)));
    assert!(erasures(&scene).is_empty());
    let mut command = scene.sandbox.command();
    command.args(["privacy", "erase", "school", "--subject", &id, "--yes"]);
    let mut erasing = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let written =
        || scene.sandbox.state_sql("SELECT coalesce(sum(rows), 0) FROM erasure_rows WHERE place LIKE 'notes %'");
    eventually("rows go", patient(), || (written().trim() != "0").then_some(()));
    erasing.kill().unwrap();
    erasing.wait().unwrap();
    eventually("the server has noticed", patient(), || {
        let ours = "pg_stat_activity WHERE application_name = 'caretaker privacy' AND datname = current_database()";
        (scene.count(ours) == 0).then_some(())
    });
    assert!(scene.count("notes") > 100, "it was killed too late to show anything");
    assert_eq!(erasures(&scene)[0]["state"], "pending");
    // The policy's next run goes on with it, and knows nothing but the HMAC.
    scene.apply().succeeds();
    assert_eq!((scene.count("notes"), scene.count("users")), (100, 10));
    let entry = &erasures(&scene)[0];
    let run = scene.privacy(&["certificate", "latest", "--format", "json"]).succeeds().json();
    assert_eq!(run["erasures"], serde_json::json!([entry["id"]]));
    // Its certificate counts what the killed run has done, but for a transaction that it could not write down any more.
    let done =
        entry["certificate"]["references"].as_array().unwrap().iter().find(|one| one["table"] == "notes").unwrap();
    assert!([3000, 4000].contains(&done["rows"].as_u64().unwrap()), "{done}");
    assert_eq!((&entry["state"], scene.logged("erasure_requested").len()), (&"completed".into(), 1));
}

#[rstest]
#[case::composite("a integer, b text, PRIMARY KEY (a, b)", "")]
#[case::none("a integer, b text", "")]
#[case::partitioned("a integer, b text", " PARTITION BY RANGE (a)")]
fn tables_of_any_shape_are_taken_in_hand(#[case] columns: &str, #[case] partitioned: &str) {
    let scene = Scene::new(
        Kind::Postgres,
        &format!(
            "CREATE TABLE users (id integer PRIMARY KEY); INSERT INTO users VALUES (1), (2);
             CREATE TABLE notes ({columns}, who integer){partitioned};"
        ),
    );
    if !partitioned.is_empty() {
        scene.sql(
            "CREATE TABLE notes_1 PARTITION OF notes FOR VALUES FROM (0) TO (2000);
             CREATE TABLE notes_2 PARTITION OF notes DEFAULT",
        );
    }
    scene.sql("INSERT INTO notes SELECT i, 'b', i % 2 + 1 FROM generate_series(1, 5000) i");
    scene.policy(
        "[privacy.school.subject]\ntable = 'users'\nkey = 'id'\n[[privacy.school.subject.references]]\n\
         table = 'notes'\ncolumn = 'who'\nset = { who = 'null' }\n",
    );
    erase(&scene, "1").succeeds();
    assert_eq!((scene.count("notes WHERE who IS NULL"), scene.count("notes WHERE who = 2")), (2500, 2500));
}

#[test]
fn one_that_is_overdue_is_an_incident_until_it_is_done() {
    let scene = school(Kind::Sqlite, Key::Integer);
    scene.policy(&policy(Key::Integer).replace("key = 'id'", "key = 'id'\ndue_after = '1 second'"));
    let id = Key::Integer.of(3);
    scene.privacy(&["hold", "add", "school", "--subject", &id, "--reason", "case 7"]).succeeds();
    erase(&scene, &id).exits(3);
    let daemon = scene.sandbox.daemon();
    let incidents =
        || scene.sandbox.caretaker(&["alert", "list", "--format", "json"]).succeeds().json()["incidents"].clone();
    let incident = eventually("there is an incident", patient(), || incidents().get(0).cloned());
    assert_eq!((&incident["subject"], &incident["name"]), (&"privacy.school".into(), &"erasures".into()));
    assert_eq!(incident["status"], "warning");
    assert!(incident["last"]["summary"].as_str().unwrap().starts_with("an erasure is overdue, since "), "{incident}");
    scene.privacy(&["erasures", "school"]).succeeds().says("deferred, overdue");
    scene.privacy(&["hold", "release", "school", "--subject", &id]).succeeds();
    eventually("it is over", patient(), || incidents().as_array().unwrap().is_empty().then_some(()));
    daemon.terminate();
}

#[rstest]
fn keys_in_columns_without_affinity_are_found(#[values("", "BLOB")] declared: &str) {
    let scene = Scene::new(
        Kind::Sqlite,
        &format!(
            "CREATE TABLE users (id {declared} PRIMARY KEY, name text); CREATE TABLE note (id integer PRIMARY KEY, who {declared});
             INSERT INTO users VALUES (7, 'x'), (8, 'y'); INSERT INTO note VALUES (1, 7), (2, 8);"
        ),
    );
    scene.policy(
        "[privacy.school.subject]\ntable = 'users'\nkey = 'id'\n[[privacy.school.subject.references]]\ntable = 'note'\n\
         column = 'who'\naction = 'delete'\n",
    );
    erase(&scene, "7").succeeds();
    assert_eq!((scene.sql("SELECT id FROM users"), scene.sql("SELECT id FROM note")), ("8".into(), "2".into()));
}
