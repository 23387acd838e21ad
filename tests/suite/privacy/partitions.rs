//! Whole partitions go once all that they can hold is old; whatever comes between, none is lost on the way.

use std::process::{Child, Stdio};

use rstest::rstest;
use serde_json::Value;

use super::blocked::Other;
use super::scene::{Kind, Scene, rule};
use crate::support::{OwnPostgres, eventually, patient};

/// `event` with a partition for each sixty days: 0 is the youngest, 1 has rows on both sides of ninety days, 2 to 4 are old.
/// Ten rows in each.
fn events(more: &str) -> Scene {
    events_in(Scene::new(Kind::Postgres, ""), more)
}

fn events_in(scene: Scene, more: &str) -> Scene {
    scene.sql(
        "CREATE TABLE event (id int, who text, made timestamptz NOT NULL, PRIMARY KEY (id, made)) PARTITION BY RANGE (made);
         DO $$ BEGIN FOR i IN 0..4 LOOP
             EXECUTE format('CREATE TABLE event_%s PARTITION OF event FOR VALUES FROM (%L) TO (%L)', i,
                 date_trunc('day', now()) - make_interval(days => 60 * (i + 1)), date_trunc('day', now()) - make_interval(days => 60 * i));
         END LOOP; END $$;
         INSERT INTO event SELECT i, 'p' || (i % 10), date_trunc('day', now()) - make_interval(days => i * 6) - interval '1 hour'
             FROM generate_series(0, 49) i;",
    );
    scene.sql(more);
    let subject = "[privacy.school.subject]\ntable = 'person'\nkey = 'id'\n\
        [[privacy.school.subject.references]]\ntable = 'event'\ncolumn = 'who'\nset = { who = 'tombstone' }\n";
    scene.sql("CREATE TABLE person (id text PRIMARY KEY)");
    scene.policy(&format!("batch = {{ lock_timeout = '300ms' }}\n{}{subject}", drops("event")));
    scene
}

fn drops(table: &str) -> String {
    rule(table, "action = 'drop partition'")
}

fn partitions(scene: &Scene) -> String {
    scene.sql("SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY 1) FROM pg_inherits WHERE inhparent = 'event'::regclass")
}

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
fn partitions_that_hold_nothing_young_go_and_the_others_stay_as_they_are() {
    let scene = events("");
    let rest = "SELECT * FROM event WHERE id < 20 ORDER BY id";
    let before = scene.sql(rest);
    let plan = scene.rule("old event");
    let all = plan["meaning"]["partitions"].as_array().unwrap();
    let going: Vec<&Value> = all.iter().filter(|one| one["goes"] == true).collect();
    assert_eq!((all.len(), going.len(), &plan["meaning"]["rows"]), (5, 3, &30.into()), "{plan}");
    assert!(going.iter().all(|one| one["rows"] == 10 && one["bytes"].as_u64().unwrap() > 0), "{plan}");
    assert!(plan["meaning"]["sql"].as_str().unwrap().contains("DETACH PARTITION \"public\".\"event_2\" CONCURRENTLY"));
    scene.privacy(&["plan"]).says("event_1").says("stays: it may hold younger rows");
    assert_eq!(scene.count("event"), 50, "planning changes nothing");
    scene.apply().succeeds().says("old event: 30 rows");
    assert_eq!(
        (partitions(&scene), scene.sql("SELECT * FROM event ORDER BY id")),
        ("event_0 event_1".to_owned(), before)
    );
    assert_eq!(scene.count("pg_class WHERE relname ~ '^event_[234]$'"), 0);
    let (started, completed) = (scene.logged("disposition_started"), scene.logged("disposition_completed"));
    assert_eq!(started[0]["detail"]["partitions"].as_array().unwrap().len(), 3);
    assert_eq!(
        (&completed[0]["detail"]["rows"], completed[0]["detail"]["partitions"].as_array().unwrap().len()),
        (&30.into(), 3)
    );
    scene.apply().succeeds().says("old event: 0 rows");
    scene.privacy(&["verify-log"]).succeeds();
}

#[rstest]
fn every_major_version_drops_them(#[values(13, 14, 18)] major: u32) {
    let server = OwnPostgres::of_major(major);
    let scene = events_in(Scene::of(server.database(), ""), "");
    let sql = scene.rule("old event")["meaning"]["sql"].as_str().unwrap().to_owned();
    assert_eq!(sql.contains("CONCURRENTLY"), major > 13, "{sql}");
    scene.apply().succeeds().says("old event: 30 rows");
    assert_eq!((partitions(&scene), scene.count("event")), ("event_0 event_1".to_owned(), 20));
}

#[test]
fn a_default_partition_never_goes_and_its_old_rows_are_told() {
    let scene = events(
        "CREATE TABLE event_rest PARTITION OF event DEFAULT; INSERT INTO event VALUES (100, 'p1', now() - interval '5 years')",
    );
    let plan = scene.rule("old event");
    let warnings = plan["warnings"].to_string();
    assert!(warnings.contains("1 old rows are in the default partition `event_rest`"), "{warnings}");
    assert!(warnings.contains("has a default partition, so PostgreSQL detaches none concurrently"), "{warnings}");
    scene.apply().succeeds().says("old event: 30 rows");
    assert_eq!((partitions(&scene), scene.count("event")), ("event_0 event_1 event_rest".to_owned(), 21));
}

#[test]
fn a_partition_with_a_row_that_is_held_stays_until_the_hold_is_released() {
    let scene = events("");
    scene
        .privacy(&["hold", "add", "school", "--table", "event", "--where", "id = 25", "--reason", "case 9"])
        .succeeds();
    scene.privacy(&["plan"]).succeeds().says("the partition `event_2` is old and stays: one row is held");
    scene.apply().succeeds().says("old event: 20 rows");
    assert_eq!((partitions(&scene), scene.count("event_2")), ("event_0 event_1 event_2".to_owned(), 10));
    let id = scene.privacy(&["hold", "list", "--format", "json"]).json()[0]["id"].as_str().unwrap().to_owned();
    scene.privacy(&["hold", "release", &id]).succeeds();
    scene.apply().succeeds().says("old event: 10 rows");
}

#[test]
fn a_partition_whose_rows_others_refer_to_stays_and_the_plan_says_so_beforehand() {
    let scene = events(
        "CREATE TABLE reply (id int PRIMARY KEY, event_id int, event_made timestamptz, FOREIGN KEY (event_id, event_made) REFERENCES event);
         INSERT INTO reply SELECT 1, id, made FROM event WHERE id = 35",
    );
    scene.privacy(&["plan"]).succeeds().says("the partition `event_3` is old and stays: `reply` (");
    scene.apply().succeeds().says("old event: 20 rows");
    assert_eq!((partitions(&scene), scene.count("reply")), ("event_0 event_1 event_3".to_owned(), 1));
    scene.sql("DELETE FROM reply");
    scene.apply().succeeds().says("old event: 10 rows");
}

#[test]
fn a_partition_with_partitions_of_its_own_goes_whole() {
    let scene = events(
        "ALTER TABLE event DETACH PARTITION event_4; ALTER TABLE event_4 RENAME TO rows_4;
         DO $$ BEGIN EXECUTE format('CREATE TABLE event_4 PARTITION OF event FOR VALUES FROM (%L) TO (%L) PARTITION BY LIST (id)',
             date_trunc('day', now()) - interval '300 days', date_trunc('day', now()) - interval '240 days'); END $$;
         CREATE TABLE event_4a PARTITION OF event_4 FOR VALUES IN (40, 41, 42, 43, 44);
         CREATE TABLE event_4b PARTITION OF event_4 DEFAULT; INSERT INTO event SELECT * FROM rows_4; DROP TABLE rows_4;",
    );
    assert_eq!(scene.count("event"), 50);
    scene.apply().succeeds().says("old event: 30 rows");
    assert_eq!(scene.count("pg_class WHERE relname ~ '^event_4'"), 0);
}

#[test]
fn what_is_not_partitioned_by_the_rules_age_is_refused() {
    let scene = events(
        "CREATE TABLE plain (id int, made timestamptz);
         CREATE TABLE listed (id int, made timestamptz) PARTITION BY LIST (id);
         CREATE TABLE other (id int, seen timestamptz, made timestamptz) PARTITION BY RANGE (seen);
         CREATE TABLE two (id int, made timestamptz) PARTITION BY RANGE (made, id);",
    );
    for (table, why) in [
        ("plain", "`plain` has no partitions to drop"),
        ("listed", "`listed` is not partitioned by range"),
        ("other", "`other` is not partitioned by ranges of `made` alone"),
        ("two", "`two` is not partitioned by ranges of `made` alone"),
    ] {
        scene.policy(&drops(table));
        scene.privacy(&["plan"]).exits(1).says(why);
    }
}

#[test]
fn who_does_not_own_the_table_is_told_so_before_anything_is_detached() {
    let scene = events("");
    let role = crate::support::unique("role").replace('-', "_");
    scene.sql(&format!("CREATE ROLE {role} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"));
    let url = scene.postgres().socket_url().replace("postgres://postgres@", &format!("postgres://{role}@"));
    scene
        .sandbox
        .configure(&format!("[databases.app]\nurl = '{url}'\n[privacy.school]\ndatabase = 'app'\n{}", drops("event")));
    scene.apply().exits(1).complains("only the owner of `event` can detach its partitions");
    assert_eq!(scene.count("event"), 50);
    scene.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn more_rows_than_a_cap_allows_keep_all_partitions() {
    let scene = events("");
    scene.policy(&format!("caps = {{ max_rows = 29 }}\n{}", drops("event")));
    scene.apply().exits(3).complains("30 rows are more than `max_rows` (29)");
    assert_eq!(scene.count("event"), 50);
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

#[test]
fn jobs_of_pg_cron_that_name_a_table_are_told() {
    // The table as pg_cron 1.4 makes it; the extension itself needs a server of its own that preloads it.
    let scene = events(
        "CREATE SCHEMA cron; CREATE TABLE cron.job (jobid bigserial PRIMARY KEY, schedule text NOT NULL, command text NOT NULL,
             nodename text NOT NULL DEFAULT 'localhost', nodeport int NOT NULL DEFAULT 5432,
             database text NOT NULL DEFAULT current_database(), username text NOT NULL DEFAULT current_user,
             active boolean NOT NULL DEFAULT true, jobname text);
         INSERT INTO cron.job (schedule, command, jobname) VALUES ('0 3 * * *', 'DELETE FROM public.event WHERE made < now()', 'clean'),
             ('0 4 * * *', 'VACUUM eventually', 'unlike'), ('0 5 * * *', 'SELECT 1', NULL);
         INSERT INTO cron.job (schedule, command, active) VALUES ('0 6 * * *', 'TRUNCATE event', false);",
    );
    let warnings = scene.plan()["warnings"].to_string();
    assert!(warnings.contains("the pg_cron job 1 (clean), at `0 3 * * *`, names `event`"), "{warnings}");
    assert_eq!(warnings.matches("pg_cron").count(), 1, "{warnings}");
}
