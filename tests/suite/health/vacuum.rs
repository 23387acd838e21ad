//! autovacuum, table_activity, bloat.

use super::watch::{Says as _, Watch};
use crate::support::{Postgres, eventually, patient, until};
use caretaker::state::Status;

#[test]
fn dead_rows_beyond_what_autovacuum_leaves_are_found_until_they_are_vacuumed() {
    let database = Postgres::shared().database();
    let watch = Watch::new("autovacuum", &database.url(), "warning = 0.4\ncritical = 0.7");
    database.sql(
        "CREATE TABLE note (id int) WITH (autovacuum_enabled = off);
         INSERT INTO note SELECT generate_series(1, 10000)",
    );
    // A session hands in what it has counted when it ends, which may be after psql has.
    let counted = "SELECT n_live_tup FROM pg_stat_user_tables WHERE relname = 'note'";
    until("the rows to be counted", patient(), || database.sql(counted) == "10000\n");
    watch.ok();
    database.sql("DELETE FROM note WHERE id <= 5000");
    watch
        .comes_to(Status::Warning)
        .says("public.note: 5000 dead rows")
        .says("never vacuumed")
        .says("autovacuum is off");
    database.sql("DELETE FROM note WHERE id <= 8000");
    watch.comes_to(Status::Critical);
    database.sql("VACUUM note");
    watch.comes_to(Status::Ok);
}

#[test]
fn a_table_that_is_left_out_is_not_judged() {
    let database = Postgres::shared().database();
    let watch = Watch::new("autovacuum", &database.url(), "warning = 0.4\nexclude = ['public.n*']");
    database.sql(
        "CREATE TABLE note (id int) WITH (autovacuum_enabled = off);
         INSERT INTO note SELECT generate_series(1, 10000); ANALYZE note; DELETE FROM note WHERE id <= 6000",
    );
    let dead = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'note'";
    until("the dead rows to be counted", patient(), || database.sql(dead) != "0\n");
    watch.ok();
}

#[test]
fn the_activity_of_tables_is_told_and_never_judged() {
    let database = Postgres::shared().database();
    let watch = Watch::new("table_activity", &database.url(), "warning = 1\ncritical = 1");
    watch.ok().says("nothing was written");
    database.sql(
        "CREATE TABLE note (id int, body text); INSERT INTO note SELECT generate_series(1, 100);
         UPDATE note SET body = 'x' WHERE id <= 40; DELETE FROM note WHERE id > 90; VACUUM note",
    );
    let found = eventually("the writes to be counted", patient(), || {
        Some(watch.ok()).filter(|found| found.evidence.iter().any(|line| line.contains("vacuumed 0.")))
    });
    found.says("public.note: 100 inserted, 40 updated").says("10 deleted").says("never analyzed");
}

#[test]
fn bloat_is_estimated_in_tables_and_in_indexes_and_goes_with_a_rewrite() {
    let database = Postgres::shared().database();
    let watch = Watch::new("bloat", &database.url(), "warning = 0.5\ncritical = 0.8");
    database.sql(
        "CREATE TABLE note (id int PRIMARY KEY, body text) WITH (autovacuum_enabled = off);
         INSERT INTO note SELECT i, repeat(md5(i::text), 6) FROM generate_series(1, 150000) i; VACUUM ANALYZE note",
    );
    watch.ok();
    database.sql("DELETE FROM note WHERE id % 100 < 65; VACUUM ANALYZE note");
    watch.warns().says("table public.note").says("estimate");
    database.sql("DELETE FROM note WHERE id % 100 < 95; VACUUM ANALYZE note");
    watch.critical();
    database.sql("VACUUM (FULL, ANALYZE) note");
    watch.ok();

    let index = Watch::new("bloat", &database.url(), "warning = 0.5\ncritical = 0.9\nexclude = ['public.key']");
    database.sql(
        "CREATE TABLE key (body text) WITH (autovacuum_enabled = off);
         INSERT INTO key SELECT md5(i::text) || md5((i + 1)::text) FROM generate_series(1, 300000) i;
         CREATE INDEX key_body ON key (body); VACUUM ANALYZE key",
    );
    index.ok();
    database.sql("DELETE FROM key WHERE substr(body, 1, 1) < 'c'; VACUUM ANALYZE key");
    index.warns().says("index public.key_body");
    database.sql("REINDEX INDEX key_body; ANALYZE key");
    index.ok();
}
