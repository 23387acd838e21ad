//! Checks that compare counters and sizes with those of earlier looks.

use std::time::Duration;

use caretaker::state::Status;

use super::looks::{Looks, Psql};
use crate::support::{OwnPostgres, Postgres, until};

#[test]
fn deadlocks_are_counted_from_one_look_to_the_next() {
    let database = Postgres::shared().database();
    database.sql("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0), (2, 0)");
    let mut looks = Looks::new("deadlocks", &database.url(), "warning = 1\ncritical = 2");
    looks.finds(Status::NotApplicable);
    looks.finds(Status::Ok);
    let deadlock = || {
        let connect = || Psql::connect(database.server(), &database.name, "web");
        let (mut one, mut two) = (connect(), connect());
        one.runs("SET deadlock_timeout = '1h'; BEGIN; UPDATE t SET n = 1 WHERE id = 1;");
        two.runs("SET deadlock_timeout = '10ms'; BEGIN; UPDATE t SET n = 2 WHERE id = 2;");
        one.starts("UPDATE t SET n = 1 WHERE id = 2;");
        until("the first to wait", Duration::from_secs(10), || {
            database.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").trim() != "0"
        });
        // The second closes the circle, and is the one that looks.
        two.runs("UPDATE t SET n = 2 WHERE id = 1;");
        one.ends();
    };
    let counted = || -> u32 {
        let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        database.sql(sql).trim().parse().unwrap()
    };
    let settled = |count| until("the server to count it", Duration::from_secs(20), || counted() == count);
    deadlock();
    settled(1);
    looks.finds(Status::Warning);
    deadlock();
    deadlock();
    settled(3);
    let seen = looks.finds(Status::Critical);
    assert!(seen.summary.starts_with("2 deadlocks in"), "{seen:?}");
    looks.finds(Status::Ok);
}

#[test]
fn a_database_that_grows_fast_is_found_after_a_day() {
    let database = Postgres::shared().database();
    database.sql("CREATE UNLOGGED TABLE t (body text); ALTER TABLE t ALTER body SET STORAGE PLAIN");
    // A page each.
    let fill = |megabytes: u32| {
        let rows = megabytes * 128;
        database.sql(&format!("INSERT INTO t SELECT repeat('x', 7000) FROM generate_series(1, {rows})"));
    };
    fill(80);
    let mut looks = Looks::new("growth", &database.url(), "warning = 0.5\ncritical = 1.0");
    looks.finds(Status::NotApplicable);
    looks.later(24).finds(Status::Ok);
    fill(72);
    let seen = looks.later(24).finds(Status::Warning);
    assert!(seen.summary.ends_with("a day") && seen.evidence[0].starts_with("public.t: 152"), "{seen:#?}");
    looks.with("warning = 0.5\ncritical = 0.6").finds(Status::Critical);
    looks.later(24).finds(Status::Ok);
}

#[test]
fn the_share_of_blocks_in_the_cache_is_that_since_the_last_look() {
    let server = OwnPostgres::start_with(&["shared_buffers = 2MB"]);
    let sql = |sql: &str| server.sql("postgres", sql);
    sql("CREATE UNLOGGED TABLE t (id int PRIMARY KEY, body text); ALTER TABLE t ALTER body SET STORAGE PLAIN; \
         INSERT INTO t SELECT i, repeat('x', 7000) FROM generate_series(1, 4000) i; VACUUM t");
    let hit = || sql("DO $$ BEGIN FOR i IN 1..8000 LOOP PERFORM 1 FROM t WHERE id = 1; END LOOP; END $$");
    let miss = || sql("DO $$ BEGIN FOR i IN 1..4 LOOP PERFORM count(body) FROM t; END LOOP; END $$");
    let mut looks = Looks::new("cache_hit", &server.socket_url("postgres"), "warning = 0.9\ncritical = 0.0");
    let seen = looks.finds(Status::NotApplicable);
    assert!(seen.summary.contains("first look"), "{seen:?}");
    let seen = looks.finds(Status::NotApplicable);
    assert!(seen.summary.starts_with("only "), "{seen:?}");
    // A session's counters arrive a moment after its end.
    hit();
    looks.comes_to(Status::Ok);
    miss();
    let seen = looks.comes_to(Status::Warning);
    assert!(seen.evidence[0].starts_with("public.t: "), "{seen:#?}");
    miss();
    looks.with("warning = 0.9\ncritical = 0.8").comes_to(Status::Critical);
    hit();
    hit();
    looks.comes_to(Status::Ok);
}

#[test]
fn a_statement_that_got_slower_is_found_and_its_text_shown_without_values() {
    let server = OwnPostgres::start_with(&["shared_preload_libraries = 'pg_stat_statements'"]);
    let url = server.socket_url("postgres");
    let mut looks = Looks::new("slow_statements", &url, "warning = 3\ncritical = 8");
    let seen = looks.finds(Status::NotApplicable);
    assert!(seen.summary.contains("CREATE EXTENSION pg_stat_statements"), "{seen:?}");
    server.sql("postgres", "CREATE SCHEMA \"odd one\"; CREATE EXTENSION pg_stat_statements SCHEMA \"odd one\"");
    let call = |seconds: &str| {
        let statement = format!("SELECT pg_sleep({seconds}), ''personal''");
        server.sql("postgres", &format!("SELECT '{statement}' FROM generate_series(1, 6) \\gexec"));
    };
    // Once to be known, once to have a mean, once more to be compared.
    for _ in 0..3 {
        call("0.02");
        looks.later(1).look();
    }
    call("0.02");
    looks.later(1).finds(Status::Ok);
    call("0.1");
    let seen = looks.later(1).finds(Status::Warning);
    assert!(
        seen.evidence[0].contains("6 calls in") && seen.evidence[0].ends_with(": SELECT pg_sleep($1), $2"),
        "{seen:#?}"
    );
    assert!(!format!("{seen:?}").contains("personal"));
    call("0.3");
    looks.later(1).finds(Status::Critical);
    call("0.02");
    looks.later(1).finds(Status::Ok);
}

#[test]
fn statements_of_others_and_a_library_that_is_not_loaded_are_said_to_be_unseen() {
    let server = Postgres::shared();
    let database = server.database();
    database.sql("CREATE EXTENSION pg_stat_statements");
    let seen = Looks::new("slow_statements", &database.url(), "").finds(Status::Unknown);
    assert!(seen.advice.unwrap().contains("shared_preload_libraries"));
}
