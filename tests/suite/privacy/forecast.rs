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

#[test]
fn triggers_and_rewrite_rules_that_act_on_what_the_policy_does_are_named() {
    let scene = Scene::new(Kind::Postgres, &notes("note", 30));
    scene.sql(
        "CREATE TABLE gone (id int);
         CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
         CREATE TRIGGER each AFTER DELETE ON note FOR EACH ROW EXECUTE FUNCTION nothing();
         CREATE TRIGGER once AFTER DELETE OR UPDATE ON note FOR EACH STATEMENT EXECUTE FUNCTION nothing();
         CREATE RULE copied AS ON DELETE TO note DO ALSO INSERT INTO gone VALUES (old.id);
         CREATE RULE kept AS ON UPDATE TO note WHERE old.id = 3 DO INSTEAD NOTHING;
         CREATE RULE off AS ON DELETE TO note DO ALSO INSERT INTO gone VALUES (0);
         ALTER TABLE note DISABLE RULE off",
    );
    let warnings = |action: &str| {
        scene.policy(&rule("note", action));
        let rule = scene.rule("old note");
        let warnings = rule["warnings"].as_array().unwrap_or_else(|| panic!("{rule}")).clone();
        let of_interest = |text: &&str| text.contains("trigger") || text.contains("rewrite");
        let texts = warnings.iter().map(|one| one.as_str().unwrap());
        texts.filter(of_interest).map(str::to_owned).collect::<Vec<_>>()
    };
    let statement = "triggers fire for each statement, of which a run has many: once";
    assert_eq!(
        warnings("action = 'delete'"),
        [
            "triggers fire for each row: each",
            statement,
            "the rewrite rule `copied` of `note` does something more with each DELETE: what goes may be written elsewhere",
        ]
    );
    assert_eq!(
        warnings("action = { set = { body = 'null' } }"),
        [
            statement,
            "the rewrite rule `kept` of `note` does something else instead of each UPDATE: rows may stay as they are",
        ]
    );
    // One that leaves nothing of the statement.
    scene.sql("CREATE RULE none AS ON DELETE TO note DO INSTEAD NOTHING");
    assert!(warnings("action = 'delete'").iter().any(|one| one.contains("`none` of `note` does something else")));
}
