//! Dropping partitions while others are at work, and after a crash: none is lost on the way.

use std::process::{Child, Stdio};

use super::blocked::Other;
use super::partitions::{drops, events, partitions};
use super::scene::Scene;
use crate::support::{eventually, patient};

/// Every drop takes its time, so that something can come between.
const SLOWLY: &str =
    "CREATE FUNCTION slowly() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(1.5); END$$;
     CREATE EVENT TRIGGER slowly ON ddl_command_start WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION slowly();";

fn is_detached(scene: &Scene, partition: &str) -> bool {
    scene.count(&format!("pg_class WHERE relname = '{partition}' AND NOT relispartition")) == 1
}

/// A run that is killed when the first partition is detached and not dropped yet. Gives that partition.
fn killed(scene: &Scene) -> String {
    let mut applying: Child = scene.applying().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let found = eventually("one is detached", patient(), || {
        ["event_2", "event_3", "event_4"].into_iter().find(|one| is_detached(scene, one))
    });
    applying.kill().unwrap();
    applying.wait().unwrap();
    let ours = "FROM pg_stat_activity WHERE application_name = 'caretaker privacy' AND datname = current_database()";
    scene.sql(&format!("SELECT pg_terminate_backend(pid) {ours}"));
    eventually("its session has ended", patient(), || {
        (scene.sql(&format!("SELECT count(*) {ours}")) == "0").then_some(())
    });
    scene.sql("DROP EVENT TRIGGER slowly");
    assert!(is_detached(scene, found), "it was killed too late to show anything");
    found.to_owned()
}

#[test]
fn whoever_writes_meanwhile_does_not_wait_and_a_reader_only_delays_it() {
    let scene = events("");
    let reader = Other::doing(&scene, "BEGIN; SELECT * FROM event");
    let applying = scene.applying().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("it waits for the reader", patient(), || {
        (scene.count("pg_inherits WHERE inhdetachpending") == 1).then_some(())
    });
    scene.sql("SET lock_timeout = '200ms'; INSERT INTO event VALUES (1000, 'p1', now() - interval '1 day')");
    // It gives up for now, and leaves what it has begun.
    let ended = applying.wait_with_output().unwrap();
    assert!(!ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(scene.count("pg_inherits WHERE inhdetachpending"), 1);
    drop(reader);
    scene.apply().succeeds();
    assert_eq!((partitions(&scene), scene.count("event")), ("event_0 event_1".to_owned(), 21));
    assert_eq!(scene.count("pg_class WHERE relname ~ '^event_[234]$'"), 0);
}

#[test]
fn a_run_that_was_killed_after_detaching_is_gone_on_with() {
    let scene = events(SLOWLY);
    let found = killed(&scene);
    assert_eq!(scene.count(&found), 10);
    scene.apply().succeeds();
    assert_eq!((partitions(&scene), scene.count("event")), ("event_0 event_1".to_owned(), 20));
    assert_eq!(scene.count("pg_class WHERE relname ~ '^event_[234]$'"), 0);
    assert_eq!((scene.logged("disposition_started").len(), scene.logged("disposition_completed").len()), (1, 1));
    assert_eq!(scene.logged("disposition_completed")[0]["detail"]["partitions"].as_array().unwrap().len(), 3);
    scene.privacy(&["verify-log"]).succeeds();
}

#[test]
fn what_a_killed_run_has_detached_is_attached_again_when_it_may_not_go_any_more() {
    for longer in [false, true] {
        let scene = events(SLOWLY);
        let found = killed(&scene);
        let row = scene.sql(&format!("SELECT min(id) FROM {found}"));
        let condition = format!("id = {row}");
        match longer {
            false => {
                let hold = ["hold", "add", "school", "--table", "event", "--where", &condition, "--reason", "case 10"];
                scene.privacy(&hold).succeeds();
                scene.apply().succeeds();
                assert_eq!((scene.count(&format!("event WHERE {condition}")), scene.count(&found)), (1, 10));
                assert_eq!(partitions(&scene), format!("event_0 event_1 {found}"));
            }
            // Rows are kept for longer by now.
            true => {
                scene.policy(&format!("approval = false\n{}", drops("event").replace("90 days", "10 years")));
                scene.privacy(&["plan"]).succeeds().says(&format!("a run that was cut off was detaching `{found}`"));
                scene.apply().succeeds();
                assert_eq!(scene.count("event"), 50);
            }
        }
    }
}

#[test]
fn a_hold_that_is_put_while_a_partition_goes_keeps_it() {
    let scene = events(SLOWLY);
    let mut applying = scene.applying().spawn().unwrap();
    let found = eventually("one is detached", patient(), || {
        ["event_2", "event_3", "event_4"].into_iter().find(|one| is_detached(&scene, one))
    });
    scene.privacy(&["hold", "add", "school", "--subject", "p5", "--reason", "case 11"]).succeeds();
    assert!(applying.wait().unwrap().success());
    // The person has a row in each.
    assert_eq!(
        (partitions(&scene), scene.count("event")),
        ("event_0 event_1 event_2 event_3 event_4".to_owned(), 50),
        "{found}"
    );
}

#[test]
fn what_depends_on_a_partition_keeps_it_a_partition() {
    let scene = events("CREATE VIEW old_ones AS SELECT * FROM event_3");
    scene.apply().exits(1).complains("other objects depend on it");
    assert_eq!(scene.count("event WHERE id BETWEEN 30 AND 39"), 10);
    scene.sql("DROP VIEW old_ones");
    scene.apply().succeeds();
    assert_eq!(partitions(&scene), "event_0 event_1");
}
