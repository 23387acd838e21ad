//! Checks of what sessions do: long queries, idle transactions, locks.

use std::time::Duration;

use caretaker::state::Status;

use super::looks::{Looks, Psql};
use crate::support::{Database, Postgres, unique, until};

const NEVER: &str = "warning = '1h'\ncritical = '2h'";
const SOON: &str = "warning = 0.2\ncritical = '1h'";
const NOW: &str = "warning = 0.1\ncritical = 0.2";

fn psql(database: &Database, application: &str) -> Psql {
    Psql::connect(database.server(), &database.name, application)
}

#[test]
fn a_long_query_is_told_of_by_who_runs_it_and_by_its_text_without_literals() {
    let database = Postgres::shared().database();
    let mut looks = Looks::new("long_queries", &database.url(), SOON);
    looks.finds(Status::Ok);
    let mut web = psql(&database, "web");
    web.starts("SELECT pg_sleep(60), 'personal';");
    let seen = looks.comes_to(Status::Warning);
    let line = &seen.evidence[0];
    assert!(line.contains("role postgres, application web") && line.contains("active for"), "{line}");
    assert!(line.contains("waits for Timeout:PgSleep") && line.ends_with(": SELECT pg_sleep(?), ?;"), "{seen:?}");
    assert!(!format!("{seen:?}").contains("personal"), "{seen:?}");
    looks.with(NOW).comes_to(Status::Critical);
    looks.with("critical = 0.1\nwarning = 0.1\nexclude = ['web']").finds(Status::Ok);
    database.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'web'");
    web.ends();
    looks.with(NOW).finds(Status::Ok);
}

#[test]
fn a_password_that_is_being_set_is_not_shown() {
    let database = Postgres::shared().database();
    let mut looks = Looks::new("long_queries", &database.url(), SOON);
    let mut web = psql(&database, "web");
    web.starts("DO $$BEGIN PERFORM pg_sleep(60); EXECUTE 'ALTER ROLE web PASSWORD ''topsecret'''; END$$;");
    let seen = looks.comes_to(Status::Warning);
    assert!(seen.evidence[0].ends_with(": DO …") && !format!("{seen:?}").contains("topsecret"), "{seen:?}");
}

#[test]
fn an_idle_transaction_is_found_until_it_ends() {
    let database = Postgres::shared().database();
    let mut looks = Looks::new("idle_in_transaction", &database.url(), SOON);
    looks.finds(Status::Ok);
    let mut web = psql(&database, "web");
    web.runs("BEGIN; SELECT 'personal';");
    let seen = looks.comes_to(Status::Warning);
    assert!(seen.evidence[0].contains("application web, from local, idle in transaction for"), "{seen:?}");
    assert!(seen.evidence[0].contains(", last: SELECT ?;") && !format!("{seen:?}").contains("personal"), "{seen:?}");
    looks.with(NOW).comes_to(Status::Critical);
    web.runs("COMMIT;");
    looks.finds(Status::Ok);
}

#[test]
fn caretakers_own_sessions_are_shown_and_not_judged() {
    let database = Postgres::shared().database();
    database.sql("CREATE TABLE t (id int)");
    let mut dump = psql(&database, "caretaker backup 0198");
    dump.runs("BEGIN; LOCK TABLE t;");
    let mut web = psql(&database, "web");
    web.starts("SELECT * FROM t;");
    until("the other to wait", Duration::from_secs(10), || {
        database.sql("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass") == "1\n"
    });

    let mut locks = Looks::new("locks", &database.url(), "warning = 0.01\ncritical = 0.01");
    let seen = locks.finds(Status::Ok);
    assert_eq!(seen.number, Some(0.0));
    assert!(seen.evidence[0].starts_with("Caretaker's own, not judged: blocks: pid"), "{seen:#?}");
    let mut idle = Looks::new("idle_in_transaction", &database.url(), "warning = 0.01\ncritical = 0.01");
    let seen = idle.finds(Status::Ok);
    assert!(seen.evidence[0].starts_with("Caretaker's own, not judged: pid"), "{seen:#?}");
    drop(dump);
    web.ends();
}

#[test]
fn a_wait_for_a_lock_is_shown_as_a_tree_until_it_is_over() {
    let database = Postgres::shared().database();
    database.sql("CREATE TABLE t (id int)");
    let mut looks = Looks::new("locks", &database.url(), SOON);
    looks.finds(Status::Ok);
    let (mut head, mut middle, mut last) =
        (psql(&database, "head"), psql(&database, "middle"), psql(&database, "last"));
    head.runs("BEGIN; INSERT INTO t VALUES (1);");
    middle.starts("BEGIN; LOCK TABLE t; COMMIT;");
    let waiting = |count: &str| {
        let sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass";
        until("a wait", Duration::from_secs(10), || database.sql(sql).trim() == count);
    };
    waiting("1");
    last.starts("SELECT * FROM t;");
    waiting("2");
    let seen = looks.comes_to(Status::Warning);
    let tree: Vec<&str> = seen.evidence.iter().map(String::as_str).collect();
    assert!(tree[0].starts_with("blocks: pid") && tree[0].contains("application head"), "{tree:#?}");
    assert!(tree[0].contains("last: INSERT INTO t VALUES (?);"), "{tree:#?}");
    assert!(
        tree[1].starts_with("  waits")
            && tree[1].contains("middle")
            && tree[1].contains("AccessExclusiveLock on public.t")
    );
    assert!(tree[2].starts_with("    waits") && tree[2].contains("application last"), "{tree:#?}");
    looks.with(NOW).comes_to(Status::Critical);
    head.runs("COMMIT;");
    middle.ends();
    last.ends();
    looks.finds(Status::Ok);
}

#[test]
fn who_may_not_see_others_sessions_says_so_and_what_to_grant() {
    let database = Postgres::shared().database();
    let role = unique("role");
    database.sql(&format!("CREATE ROLE \"{role}\" LOGIN PASSWORD 'x'; CREATE TABLE t (id int)"));
    let url = database.server().url_as(&role, Some("x"), &database.name);
    let mut web = psql(&database, "web");
    web.runs("BEGIN; LOCK TABLE t;");
    let blind = ["long_queries", "idle_in_transaction"];
    for check in blind {
        let seen = Looks::new(check, &url, NEVER).finds(Status::Unknown);
        assert!(
            seen.summary.contains("hidden")
                && seen.advice.unwrap().contains(&format!("GRANT pg_monitor TO \"{role}\""))
        );
    }
    // Locks hide nothing but names.
    let mut waiting = psql(&database, "waiting");
    waiting.starts("SELECT * FROM t;");
    let seen = Looks::new("locks", &url, SOON).comes_to(Status::Warning);
    assert!(seen.evidence[0].contains("state hidden"), "{seen:#?}");
    // Those of others are counted too.
    let seen = Looks::new("connections", &url, "").look();
    assert!(seen.evidence.iter().any(|line| line.ends_with("postgres, hidden")), "{seen:#?}");
    database.sql(&format!("GRANT pg_monitor TO \"{role}\""));
    for check in blind {
        Looks::new(check, &url, NEVER).finds(Status::Ok);
    }
    drop((web, waiting));
    database.sql(&format!("DROP ROLE \"{role}\""));
}
