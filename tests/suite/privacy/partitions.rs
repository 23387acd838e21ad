//! Whole partitions go once all that they can hold is old, and the others stay.

use rstest::rstest;
use serde_json::Value;

use super::scene::{Kind, Scene, rule};
use crate::support::OwnPostgres;

/// `event` with a partition for each sixty days: 0 is the youngest, 1 has rows on both sides of ninety days, 2 to 4 are old.
/// Ten rows in each.
pub(super) fn events(more: &str) -> Scene {
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

pub(super) fn drops(table: &str) -> String {
    rule(table, "action = 'drop partition'")
}

pub(super) fn partitions(scene: &Scene) -> String {
    scene.sql("SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY 1) FROM pg_inherits WHERE inhparent = 'event'::regclass")
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
