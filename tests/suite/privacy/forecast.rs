//! What the plan says is to be expected.

use rstest::rstest;

use super::scene::{Kind, Scene, notes, rule};

#[test]
fn the_plan_says_what_comes_in_and_what_goes_out() {
    let scene = Scene::new(Kind::Postgres, &notes("note", 3000));
    scene.sql(
        "CREATE INDEX ON note (made);
         INSERT INTO note SELECT i, 'new', 'text', now() - interval '1 hour' FROM generate_series(10001, 10240) i;
         ANALYZE note",
    );
    scene.policy(&rule("note", "action = 'delete'"));
    let meaning = scene.rule("old note")["meaning"].clone();
    assert_eq!((&meaning["intake_per_hour"], &meaning["is_by_experience"]), (&10.0.into(), &false.into()), "{meaning}");
    assert!(meaning["drain_per_hour"].as_f64().unwrap() > 100_000.0, "{meaning}");
    scene.privacy(&["plan"]).says("10 rows/h come in").says("a guess: there is no earlier run");
}

#[test]
fn the_plan_says_about_how_much_write_ahead_log_there_will_be() {
    let scene = Scene::new(Kind::Postgres, &notes("note", 30_000));
    scene.sql("VACUUM ANALYZE note; CHECKPOINT");
    scene.policy(&rule("note", "action = 'delete'"));
    let expected = scene.rule("old note")["meaning"]["estimated_wal_bytes"].as_u64().unwrap();
    // Each row's own record alone is 54 bytes.
    assert!((54 * 10_000..10_000_000).contains(&expected), "{expected}");
}

#[rstest]
fn the_last_run_says_how_long_the_next_takes(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = Scene::new(kind, &notes("note", 30_000));
    scene.policy(&rule("note", "action = 'delete'")).apply().succeeds();
    scene.sql("UPDATE note SET made = '2020-01-01 00:00:00+00' WHERE id % 3 = 1");
    let meaning = scene.rule("old note")["meaning"].clone();
    assert_eq!(meaning["is_by_experience"], true, "{meaning}");
    let (seconds, drain) =
        (meaning["estimated_seconds"].as_f64().unwrap(), meaning["drain_per_hour"].as_f64().unwrap());
    assert!((seconds * drain / 3600.0 - 10_000.0).abs() < 1e-3, "{meaning}");
    scene.privacy(&["plan"]).says("by the last run");
}
