//! The daemon and the queue: it looks every so often, runs only when somebody waits, and says what keeps it from that.

use rstest::rstest;
use serde_json::Value;

use super::people::Key;
use super::queue::{anonymous, ask, club, drain, erasures, install, policy, with_queue};
use super::scene::{Kind, Scene};
use crate::support::{eventually, patient, until};

const JOB: &str = "privacy.school.queue";

fn runs(scene: &Scene) -> Vec<Value> {
    scene.sandbox.json(&["job", "history", JOB]).as_array().unwrap().clone()
}

/// The incident of the queue.
fn incident(scene: &Scene) -> Option<Value> {
    let incidents = scene.sandbox.json(&["alert", "list"])["incidents"].as_array().unwrap().clone();
    incidents.into_iter().find(|one| one["subject"] == "privacy.school" && one["name"] == "queue")
}

#[rstest]
fn it_drains_soon_and_leaves_no_run_while_nobody_waits(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let key = Key::Uuid;
    let scene = with_queue(kind, key);
    let daemon = scene.sandbox.daemon();
    for (person, done) in [(3, 2), (4, 4)] {
        scene.sql(&format!("DELETE FROM users WHERE id = '{}'", key.of(person)));
        until("they are erased", patient(), || anonymous(&scene, key) == done && scene.count("leaving") == 0);
    }
    until("the runs have ended", patient(), || runs(&scene).iter().all(|run| run["state"] == "succeeded"));
    assert_eq!((runs(&scene).len(), erasures(&scene).len()), (2, 2));
    assert!(daemon.terminate().success());
}

/// Makes each session take its time to change.
fn slow(scene: &Scene, kind: Kind) {
    scene.sql(match kind {
        Kind::Postgres => {
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END$$;
             CREATE TRIGGER slow BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION slow()"
        }
        Kind::Sqlite => {
            "PRAGMA journal_mode = WAL; CREATE TABLE numbers (i integer);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO numbers SELECT i FROM n;
             CREATE TRIGGER slow BEFORE UPDATE ON sessions BEGIN SELECT max(length(hex(i))) FROM numbers; END"
        }
    });
}

#[rstest]
fn killed_in_the_middle_it_loses_nobody_and_does_nothing_twice(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let key = Key::Uuid;
    let scene = with_queue(kind, key);
    scene.sql(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 4099)
         INSERT INTO sessions SELECT i, '{}', '10.0.0.1' FROM n",
        key.of(3)
    ));
    slow(&scene, kind);
    let daemon = scene.sandbox.daemon();
    scene.sql(&format!("DELETE FROM users WHERE id IN ('{}', '{}')", key.of(3), key.of(4)));
    until("rows change", patient(), || anonymous(&scene, key) > 0);
    daemon.kill();
    if kind == Kind::Postgres {
        let ours = "pg_stat_activity WHERE application_name = 'caretaker privacy' AND datname = current_database()";
        until("the server has noticed", patient(), || scene.count(ours) == 0);
    }
    assert!(anonymous(&scene, key) < 4002, "it was killed too late to show anything");
    assert_eq!(scene.count("leaving"), 2);
    let open = erasures(&scene);
    assert!(open.iter().any(|one| one["state"] == "pending"), "{open:?}");
    let _daemon = scene.sandbox.daemon();
    until("all is done", patient(), || anonymous(&scene, key) == 4004 && scene.count("leaving") == 0);
    let done = || erasures(&scene).iter().filter(|one| one["state"] == "completed").count();
    until("it is written down", patient(), || done() == 2);
    assert_eq!((erasures(&scene).len(), scene.logged("erasure_requested").len()), (2, 2));
    scene.privacy(&["verify-log"]).succeeds();
}

#[rstest]
fn a_queue_that_is_not_there_is_an_incident_until_it_is(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = club(kind, Key::Uuid);
    scene.policy(&policy(Key::Uuid, ""));
    drain(&scene)
        .exits(1)
        .complains("the queue `leaving` cannot be used: there is no such table")
        .complains("install-triggers");
    // Nobody needs it to erase by hand.
    scene.privacy(&["erase", "school", "--subject", &Key::Uuid.of(3), "--yes"]).succeeds();
    let _daemon = scene.sandbox.daemon();
    let seen = eventually("it is an incident", patient(), || incident(&scene));
    assert_eq!(seen["status"], "critical");
    assert!(seen["last"]["summary"].as_str().unwrap().starts_with("the queue `leaving` cannot be used"), "{seen}");
    assert!(seen["last"]["advice"].as_str().unwrap().contains("install-triggers school"), "{seen}");
    install(&scene);
    until("it is over", patient(), || incident(&scene).is_none());
    assert!(runs(&scene).iter().all(|run| run["cause"] == "manual"));
}

#[test]
fn what_nobody_has_approved_waits_and_is_told_of() {
    let key = Key::Uuid;
    let scene = with_queue(Kind::Sqlite, key);
    let strict = policy(key, "").replace("approval = false", "");
    scene.policy(&strict);
    ask(&scene, &key.of(3));
    let _daemon = scene.sandbox.daemon();
    let seen = eventually("it is an incident", patient(), || incident(&scene));
    assert_eq!(seen["status"], "warning");
    assert!(
        seen["last"]["summary"].as_str().unwrap().contains("1 request in the queue, and the policy is not approved")
    );
    // One that should have been done long ago is worse.
    scene.sql(&format!("INSERT INTO leaving (subject, received) VALUES ('{}', '2020-01-01T00:00:00Z')", key.of(4)));
    until("it is critical", patient(), || incident(&scene).is_some_and(|it| it["status"] == "critical"));
    scene.privacy(&["erasures", "school"]).succeeds().says("queued, overdue");
    assert_eq!(runs(&scene).len(), 0);
    let hash = scene.plan()["hash"].as_str().unwrap().to_owned();
    scene.privacy(&["approve", "school", &hash]).succeeds();
    until("they are erased", patient(), || anonymous(&scene, key) == 4);
    until("it is over", patient(), || incident(&scene).is_none());
}

#[test]
fn while_somebody_wants_it_to_rest_they_wait() {
    let key = Key::Uuid;
    let scene = with_queue(Kind::Sqlite, key);
    let pause = scene.sandbox.path("pause");
    std::fs::write(&pause, "").unwrap();
    scene.policy(&policy(key, &format!("batch = {{ pause_file = '{}' }}", pause.display())));
    // Overdue, so that it shows when it has looked.
    scene.sql(&format!("INSERT INTO leaving (subject, received) VALUES ('{}', '2020-01-01T00:00:00Z')", key.of(4)));
    let _daemon = scene.sandbox.daemon();
    eventually("it has looked", patient(), || incident(&scene));
    assert_eq!((runs(&scene).len(), scene.count("leaving")), (0, 1));
    std::fs::remove_file(&pause).unwrap();
    until("they are erased", patient(), || anonymous(&scene, key) == 2);
}
