//! The queue: whoever is deleted by the application, or asked for by it, is erased wherever else they stand.

use rstest::rstest;
use serde_json::Value;

use super::people::{Key, remembered};
use super::scene::{Kind, Scene};
use crate::support::Outcome;

/// People whose sessions stay when they are deleted, and whose scores go; person `i` has two of each.
pub fn club(kind: Kind, key: Key) -> Scene {
    let id = key.type_name();
    let rows = |columns: &str| {
        let rows = (1..=10).map(|i| {
            format!("({})", columns.replace("USER", &format!("'{}'", key.of(i % 5 + 1))).replace('I', &i.to_string()))
        });
        rows.collect::<Vec<_>>().join(",")
    };
    let users: Vec<String> = (0..=5).map(|n| format!("('{}', 'name {n}')", key.of(n))).collect();
    Scene::new(
        kind,
        &format!(
            "CREATE TABLE users (id {id} PRIMARY KEY, name text);
             CREATE TABLE sessions (id integer PRIMARY KEY, user_id {id}, ip text);
             CREATE TABLE scores (id integer PRIMARY KEY, user_id {id} REFERENCES users ON DELETE CASCADE);
             INSERT INTO users VALUES {}; INSERT INTO sessions VALUES {}; INSERT INTO scores VALUES {};",
            users.join(","),
            rows("I, USER, '10.0.0.I'"),
            rows("I, USER"),
        ),
    )
}

/// What erasing one of them means, with further lines for the policy.
pub fn policy(key: Key, lines: &str) -> String {
    let tombstone = if key == Key::Integer { key.of(0) } else { format!("'{}'", key.of(0)) };
    format!(
        "approval = false\n{lines}\n[privacy.school.subject]\ntable = 'users'\nkey = 'id'\ntombstone = {tombstone}\n\
         queue = 'leaving'\nqueue_every = '1s'\n\
         [[privacy.school.subject.references]]\ntable = 'sessions'\ncolumn = 'user_id'\n\
         set = {{ user_id = 'tombstone', ip = 'null' }}\n\
         [[privacy.school.subject.references]]\ntable = 'scores'\ncolumn = 'user_id'\naction = 'delete'\n"
    )
}

/// The same, with queue and trigger.
pub fn with_queue(kind: Kind, key: Key) -> Scene {
    let scene = club(kind, key);
    scene.policy(&policy(key, ""));
    install(&scene);
    scene
}

pub fn install(scene: &Scene) {
    scene.privacy(&["install-triggers", "school", "--install"]).succeeds().says("the queue leaving and its trigger");
}

/// Drains it once, by hand.
#[track_caller]
pub fn drain(scene: &Scene) -> Outcome {
    scene.sandbox.caretaker(&["job", "run", "privacy.school.queue"])
}

pub fn erasures(scene: &Scene) -> Vec<Value> {
    scene.privacy(&["erasures", "school", "--format", "json"]).succeeds().json().as_array().unwrap().clone()
}

/// Asks for a person's erasure as an application does.
pub fn ask(scene: &Scene, id: &str) {
    scene.sql(&format!("INSERT INTO leaving (subject) VALUES ('{id}')"));
}

/// Sessions of nobody any more.
pub fn anonymous(scene: &Scene, key: Key) -> u64 {
    scene.count(&format!("sessions WHERE user_id = '{}' AND ip IS NULL", key.of(0)))
}

#[rstest]
fn who_is_deleted_is_erased_wherever_else_they_stand(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
    #[values(Key::Integer, Key::Uuid, Key::Text)] key: Key,
) {
    let scene = with_queue(kind, key);
    let others =
        || scene.sql(&format!("SELECT * FROM sessions WHERE user_id NOT IN ('{}', '{}')", key.of(3), key.of(0)));
    let before = others();
    scene.sql(&format!("DELETE FROM users WHERE id = '{}'", key.of(3)));
    assert_eq!((scene.count("leaving"), anonymous(&scene, key), scene.count("scores")), (1, 0, 8));
    let queued = &erasures(&scene)[0];
    assert_eq!((&queued["state"], &queued["id"]), (&"queued".into(), &Value::Null));
    drain(&scene).succeeds();
    assert_eq!((scene.count("leaving"), anonymous(&scene, key), others()), (0, 2, before));
    let done = erasures(&scene);
    assert_eq!(
        (done.len(), &done[0]["state"], &done[0]["subject_hmac"]),
        (1, &"completed".into(), &queued["subject_hmac"])
    );
    assert_eq!(
        (&done[0]["reason"], &done[0]["received"]),
        (&"the application deleted their row".into(), &queued["received"])
    );
    if key != Key::Integer {
        let (bytes, id) = (remembered(&scene), key.of(3));
        assert!(!bytes.windows(id.len()).any(|window| window.eq_ignore_ascii_case(id.as_bytes())));
    }
    scene.privacy(&["verify-log"]).succeeds();
}

#[rstest]
fn an_application_can_ask_itself_and_more_than_once(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let key = Key::Uuid;
    let scene = with_queue(kind, key);
    let id = key.of(3);
    scene.sql(&format!(
        "INSERT INTO leaving (subject, reason, received) VALUES ('{id}', 'ticket 12', '2026-01-02T03:04:05Z');
         INSERT INTO leaving (subject) VALUES ('{id}'); DELETE FROM users WHERE id = '{id}'"
    ));
    assert_eq!(scene.count("leaving"), 3);
    drain(&scene).succeeds();
    assert_eq!((scene.count("leaving"), anonymous(&scene, key)), (0, 2));
    let done = erasures(&scene);
    assert_eq!((done.len(), &done[0]["reason"]), (1, &"ticket 12".into()));
    // When it was received counts, and by when it is due; the log says when it was written down.
    assert_eq!(
        (&done[0]["received"], &done[0]["due"]),
        (&"2026-01-02T03:04:05Z".into(), &"2026-02-01T03:04:05Z".into())
    );
    assert_ne!(scene.logged("erasure_requested")[0]["at"], done[0]["received"]);
    // Who is gone is gone.
    ask(&scene, &id);
    drain(&scene).succeeds();
    assert_eq!((scene.count("leaving"), erasures(&scene).len(), scene.logged("erasure_requested").len()), (0, 1, 1));
    // One who was never there is written down: an old backup may still have them.
    ask(&scene, "00000000-0000-4000-8000-000000000099");
    drain(&scene).succeeds();
    assert_eq!((scene.count("leaving"), erasures(&scene).len()), (0, 2));
}

#[rstest]
fn an_erasure_by_hand_leaves_nobody_in_the_queue(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let key = Key::Text;
    let scene = with_queue(kind, key);
    ask(&scene, &key.of(3));
    // It deletes the row, which the trigger notices.
    scene
        .privacy(&["erase", "school", "--subject", &key.of(3), "--yes"])
        .succeeds()
        .says("leaving by subject: delete, 2 rows");
    assert_eq!((scene.count("leaving"), scene.count("users"), anonymous(&scene, key)), (0, 5, 2));
    drain(&scene).succeeds();
    assert_eq!(erasures(&scene).len(), 1);
}

#[rstest]
fn who_is_held_waits_in_the_queue_even_if_they_stand_nowhere_else(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
    #[values(true, false)] elsewhere: bool,
) {
    let key = Key::Uuid;
    let scene = with_queue(kind, key);
    let id = key.of(3);
    scene.privacy(&["hold", "add", "school", "--subject", &id, "--reason", "case 7"]).succeeds();
    if !elsewhere {
        scene.sql(&format!("DELETE FROM sessions WHERE user_id = '{id}'"));
    }
    scene.sql(&format!("DELETE FROM users WHERE id = '{id}'; DELETE FROM users WHERE id = '{}'", key.of(4)));
    drain(&scene).succeeds().says("is deferred: held by");
    assert_eq!(scene.sql("SELECT subject FROM leaving"), id);
    let state_of = |state: &str| erasures(&scene).iter().filter(|one| one["state"] == state).count();
    assert_eq!((state_of("deferred"), state_of("completed"), state_of("queued")), (1, 1, 0));
    // It is the ledger's now: nobody runs for it again and again.
    scene.sandbox.caretaker(&["job", "run", "privacy.school.queue", "--dry-run"]).succeeds().says("of 0 requests");
    drain(&scene).succeeds();
    assert_eq!(scene.logged("erasure_deferred").len(), 1);
    scene.privacy(&["hold", "release", "school", "--subject", &id]).succeeds().says("found after   0 rows");
    assert_eq!((state_of("completed"), scene.count("leaving")), (2, 0));
    assert_eq!(anonymous(&scene, key), if elsewhere { 4 } else { 2 });
}

#[rstest]
fn who_is_there_again_stays_unless_the_application_says_so(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let key = Key::Integer;
    let scene = with_queue(kind, key);
    let id = key.of(3);
    scene.sql(&format!("DELETE FROM users WHERE id = '{id}'; INSERT INTO users VALUES ({id}, 'name 3')"));
    drain(&scene).succeeds();
    assert_eq!((scene.count("leaving"), scene.count("users"), anonymous(&scene, key)), (0, 6, 0));
    assert_eq!((erasures(&scene).len(), scene.logged("refused").len()), (0, 1));
    ask(&scene, &id);
    drain(&scene).succeeds();
    assert_eq!((scene.count("leaving"), scene.count("users"), anonymous(&scene, key)), (0, 5, 2));
}

#[rstest]
fn what_cannot_be_done_is_in_the_ledger_and_keeps_nobody_else(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let key = Key::Uuid;
    let scene = with_queue(kind, key);
    scene.sql(&format!(
        "CREATE TABLE medals (id integer PRIMARY KEY, user_id {} REFERENCES users);
         INSERT INTO medals VALUES (1, '{}')",
        key.type_name(),
        key.of(3)
    ));
    ask(&scene, &key.of(3));
    ask(&scene, &key.of(4));
    drain(&scene).exits(1).complains("partial: 1 person is not erased").complains("medals");
    assert_eq!((scene.sql("SELECT subject FROM leaving"), anonymous(&scene, key)), (key.of(3), 2));
    assert!(
        erasures(&scene).iter().any(|one| one["state"] == "failed" && one["note"].as_str().unwrap().contains("medals"))
    );
    // Once nothing is in the way, the policy's next run does it.
    scene.sql("DELETE FROM medals");
    scene.apply().succeeds();
    assert_eq!((scene.count("leaving"), anonymous(&scene, key)), (0, 4));
    assert!(erasures(&scene).iter().all(|one| one["state"] == "completed"));
}

#[test]
fn a_request_that_names_nobody_is_told_of_without_saying_what_it_says() {
    let key = Key::Integer;
    let scene = with_queue(Kind::Sqlite, key);
    ask(&scene, "zoe@kids.example");
    ask(&scene, &key.of(4));
    let told = drain(&scene).exits(1).complains("request 1 of `leaving` names nobody");
    assert!(!told.stderr.contains("zoe"), "{}", told.stderr);
    assert_eq!(anonymous(&scene, key), 2);
}

#[rstest]
fn applying_the_policy_drains_as_well(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let key = Key::Uuid;
    let scene = with_queue(kind, key);
    scene.privacy(&["hold", "add", "school", "--subject", &key.of(4), "--reason", "case 7"]).succeeds();
    scene.sql(&format!("DELETE FROM users WHERE id IN ('{}', '{}')", key.of(3), key.of(4)));
    scene.apply().succeeds().says("is deferred: held by");
    assert_eq!((scene.count("leaving"), anonymous(&scene, key), erasures(&scene).len()), (1, 2, 2));
    assert_eq!(scene.logged("erasure_deferred").len(), 1);
}

#[rstest]
fn the_queue_itself_needs_no_class(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = with_queue(kind, Key::Text);
    ask(&scene, "zoe@kids.example");
    let all = "[privacy.school.columns]\nusers = { '*' = 'personal' }\nsessions = { '*' = 'personal' }\nscores = { '*' = 'internal' }\n";
    scene.policy(&format!("{}{all}", policy(Key::Text, "")));
    let covered = scene.privacy(&["coverage", "school", "--format", "json"]).json();
    assert_eq!((&covered["unclassified"], &covered["tables"]), (&serde_json::json!([]), &3.into()));
}

#[rstest]
fn the_tombstone_is_nobody_and_keeps_no_restore(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = with_queue(kind, Key::Integer);
    scene.sql(&format!("INSERT INTO leaving (subject) VALUES ({})", Key::Integer.of(0)));
    drain(&scene).succeeds();
    assert_eq!((scene.count("leaving"), scene.logged("refused").len()), (0, 1));
    assert_eq!(scene.sandbox.state_lines("SELECT count(*) FROM erasures"), ["0"]);
}
