//! Holds: what is held stays, whatever the policy says, from the moment the hold is put.

use rstest::rstest;

use super::people::{self, Key};
use super::scene::{Kind, Scene, notes, rule};
use crate::support::{eventually, patient};

const SUBJECT: &str = "[privacy.school.subject]\ntable = 'person'\nkey = 'id'\n\
    [[privacy.school.subject.references]]\ntable = 'note'\ncolumn = 'who'\nset = { who = 'tombstone' }\n\
    [[privacy.school.subject.references]]\ntable = 'answer'\nvia = 'answer.note_id -> note.who'\nset = { body = 'null' }\n";

fn school(kind: Kind) -> Scene {
    let scene = Scene::new(
        kind,
        &format!(
            "CREATE TABLE person (id text PRIMARY KEY); {}
             CREATE TABLE answer (id integer PRIMARY KEY, note_id integer, body text, made timestamptz);
             INSERT INTO answer SELECT id, id, body, made FROM note;",
            notes("note", 30)
        ),
    );
    scene.policy(&format!("{}{}{SUBJECT}", rule("note", "action = 'delete'"), rule("answer", "action = 'delete'")));
    scene
}

#[rstest]
fn a_persons_rows_are_kept_wherever_the_policy_says_they_stand_until_the_hold_is_released(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
) {
    let scene = school(kind);
    scene.privacy(&["hold", "add", "school", "--subject", "p3", "--reason", "case 7"]).succeeds();
    scene.privacy(&["hold", "list"]).succeeds().says("subject p3").says("case 7");
    assert_eq!(scene.rule("old note")["meaning"]["held"], 1);
    assert_eq!(scene.rule("old answer")["meaning"]["held"], 1);
    scene.apply().succeeds();
    assert_eq!(scene.sql("SELECT id FROM note WHERE id % 3 = 0"), "3");
    assert_eq!(scene.sql("SELECT id FROM answer WHERE id % 3 = 0"), "3");
    let logged = scene.logged("hold_added");
    assert!(!logged[0].to_string().contains("\"p3\""), "no identity in the log: {logged:?}");
    scene.privacy(&["hold", "release", "school", "--subject", "p3"]).succeeds();
    assert_eq!(scene.logged("hold_released").len(), 1);
    scene.apply().succeeds();
    assert_eq!(scene.count("note") + scene.count("answer"), 40);
}

#[rstest]
fn a_hold_on_a_person_who_stands_nowhere_says_so_and_holds(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind);
    let hold = |id: &str| scene.privacy(&["hold", "add", "school", "--subject", id, "--reason", "case 7"]).succeeds();
    let nowhere = "no row is found about this person";
    hold("p33").complains(nowhere).says("held: ");
    // In a reference's column only, and as the person's own row only.
    let found = hold("p4");
    assert!(!found.stderr.contains(nowhere), "{}", found.stderr);
    scene.sql("INSERT INTO person VALUES ('p44')");
    let found = hold("p44");
    assert!(!found.stderr.contains(nowhere), "{}", found.stderr);
    scene.sql("UPDATE note SET who = 'p33' WHERE id = 9");
    scene.apply().succeeds();
    assert_eq!(scene.sql("SELECT id FROM note WHERE who = 'p33'"), "9");
}

#[rstest]
fn rows_can_be_held_by_a_condition_and_for_a_time(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind);
    let held = |condition: &str, until: &str| {
        scene.privacy(&[
            "hold", "add", "school", "--table", "note", "--where", condition, "--reason", "audit", "--until", until,
        ])
    };
    held("id <= 6", "2099-01-01T00:00:00Z").succeeds();
    held("id <= 9", "2020-01-01T00:00:00Z").exits(2).complains("in the past");
    for wrong in ["true) OR (true", "id", "nothing = 1"] {
        held(wrong, "2099-01-01T00:00:00Z").exits(1).complains("`--where`: ");
    }
    scene.apply().succeeds();
    assert_eq!(scene.sql("SELECT id FROM note WHERE id % 3 = 0 ORDER BY id"), "3\n6");
}

#[rstest]
fn a_hold_that_is_put_while_rows_go_keeps_those_that_are_still_there(
    #[values(&["--subject", "p6"], &["--table", "note", "--where", "who = 'p6'"])] what: &[&str],
) {
    let scene = Scene::new(Kind::Postgres, &notes("note", 3000));
    // Each row takes its time to go.
    scene.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.002); RETURN OLD; END$$;
         CREATE TRIGGER slow BEFORE DELETE ON note FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    scene.policy(&format!(
        "batch = {{ target = '20ms' }}\n{}[privacy.school.subject]\ntable = 'note'\nkey = 'who'\n",
        rule("note", "action = 'delete'")
    ));
    let mut applying = scene.applying().spawn().unwrap();
    eventually("rows go", patient(), || (scene.count("note") < 2900).then_some(()));
    scene.privacy(&[&["hold", "add", "school", "--reason", "case 8"], what].concat()).succeeds();
    let held = scene.count("note WHERE who = 'p6' AND id % 3 = 0");
    assert!(held > 0, "it came too late to show anything");
    assert!(applying.wait().unwrap().success());
    assert_eq!(scene.count("note WHERE who = 'p6' AND id % 3 = 0"), held);
    assert_eq!(scene.count("note WHERE who <> 'p6' AND id % 3 = 0"), 0);
}

#[rstest]
fn ledger_and_log_know_a_person_by_one_name_however_they_are_typed(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
    #[values(Key::Uuid, Key::Integer)] key: Key,
) {
    let scene = people::school(kind, key);
    scene.policy(&people::policy(key));
    let id = key.of(3);
    let typed = if key == Key::Uuid { format!("{{{}}}", id.to_uppercase()) } else { format!(" 0{id}") };
    scene.privacy(&["hold", "add", "school", "--subject", &typed, "--reason", "case 7"]).succeeds();
    people::erase(&scene, &id).exits(3);
    scene.privacy(&["hold", "release", "school", "--subject", &typed]).succeeds();
    let hmac = |kind: &str, of: &[&str]| {
        let lines = scene.logged(kind);
        of.iter().fold(&lines[0]["detail"], |value, key| &value[key]).as_str().unwrap().to_owned()
    };
    let known = hmac("erasure_completed", &["subject_hmac"]);
    for kind in ["hold_added", "hold_released"] {
        assert_eq!(hmac(kind, &["held", "subject_hmac"]), known, "{kind}");
    }
    assert_eq!(
        (hmac("erasure_requested", &["subject_hmac"]), hmac("erasure_deferred", &["subject_hmac"])),
        (known.clone(), known)
    );
}

#[test]
fn looking_leaves_no_key_behind() {
    let scene = people::school(Kind::Sqlite, Key::Integer);
    scene.policy(&people::policy(Key::Integer));
    scene.privacy(&["plan", "school"]).succeeds();
    scene.privacy(&["coverage", "school"]).exits(5);
    scene.privacy(&["apply", "school", "--dry-run"]).succeeds();
    let keys = scene.sandbox.state().join("keys");
    assert!(!keys.exists(), "looking writes nothing");
    scene.privacy(&["hold", "add", "school", "--subject", "1", "--reason", "case 7"]).succeeds();
    assert!(keys.join("privacy.school.key").exists());
}

#[rstest]
fn what_is_held_is_not_changed_by_the_end_of_what_it_refers_to(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = Scene::new(
        kind,
        &format!(
            "{} CREATE TABLE answer (id integer PRIMARY KEY, note_id integer REFERENCES note ON DELETE SET NULL, who text);
             INSERT INTO answer SELECT id, id, who FROM note;",
            notes("note", 30)
        ),
    );
    let subject = "[privacy.school.subject]\ntable = 'answer'\nkey = 'who'\n";
    let answers = "[[privacy.school.subject.references]]\ntable = 'answer'\ncolumn = 'who'\nset = { who = 'null' }\n";
    scene.policy(&format!("{}{subject}{answers}", rule("note", "action = 'delete'")));
    scene.privacy(&["hold", "add", "school", "--subject", "p3", "--reason", "case 7"]).succeeds();
    scene
        .privacy(&["hold", "add", "school", "--table", "answer", "--where", "id = 9", "--reason", "case 8"])
        .succeeds();
    assert_eq!(scene.rule("old note")["meaning"]["held"], 2);
    scene.apply().succeeds();
    assert_eq!(scene.sql("SELECT id FROM note WHERE id % 3 = 0 ORDER BY id").replace('\n', " "), "3 9");
    assert_eq!(
        (scene.count("answer WHERE note_id IS NULL"), scene.count("answer WHERE id IN (3, 9) AND note_id = id")),
        (8, 2)
    );
}
