//! Checks of indexes: invalid, unused, repeated.

use std::time::Duration;

use caretaker::state::Status;

use super::looks::{Looks, Psql};
use crate::support::{OwnPostgres, Postgres, until};

#[test]
fn an_index_whose_building_failed_is_found_and_one_being_built_is_not() {
    let database = Postgres::shared().database();
    database.sql("CREATE TABLE t (id int, a int); INSERT INTO t VALUES (1, 1), (1, 1)");
    let mut looks = Looks::new("invalid_indexes", &database.url(), "warning = 1\ncritical = 2");
    looks.finds(Status::Ok);

    // It waits for transactions that began before it.
    let mut writer = Psql::connect(database.server(), &database.name, "writer");
    writer.runs("BEGIN; INSERT INTO t VALUES (2, 2);");
    let mut builder = Psql::connect(database.server(), &database.name, "builder");
    builder.starts("CREATE INDEX CONCURRENTLY building ON t (a);");
    until("an invalid index", Duration::from_secs(10), || {
        database.sql("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "1\n"
    });
    let seen = looks.finds(Status::Ok);
    assert!(seen.evidence.contains(&"1 being built".to_owned()), "{seen:#?}");
    writer.runs("COMMIT;");
    builder.ends();
    looks.finds(Status::Ok);

    builder.runs("CREATE UNIQUE INDEX CONCURRENTLY one ON t (id);");
    let seen = looks.finds(Status::Warning);
    assert!(
        seen.evidence[0].starts_with("public.one on public.t") && seen.evidence[0].ends_with("unique"),
        "{seen:#?}"
    );
    builder.runs("CREATE UNIQUE INDEX CONCURRENTLY two ON t (a);");
    looks.finds(Status::Critical);
    looks.with("warning = 1\ncritical = 2\nexclude = ['public.t.two']").finds(Status::Warning);
    database.sql("DROP INDEX one, two");
    looks.with("warning = 1\ncritical = 2").finds(Status::Ok);
}

#[test]
fn an_index_counts_as_unused_only_after_two_weeks_of_own_observation() {
    let database = Postgres::shared().database();
    database.sql(
        "CREATE UNLOGGED TABLE t (id int PRIMARY KEY, a int, small int); \
         INSERT INTO t SELECT i, i FROM generate_series(1, 600000) i; \
         CREATE INDEX large ON t (a); CREATE INDEX little ON t (small) WHERE small > 0; ANALYZE t",
    );
    let settings = "warning = '1 MiB'\ncritical = '1000 GiB'";
    let mut looks = Looks::new("unused_indexes", &database.url(), settings);
    let seen = looks.finds(Status::NotApplicable);
    assert!(seen.summary.starts_with("observed for 0.0s"), "{seen:?}");
    looks.later(13 * 24).finds(Status::NotApplicable);
    let seen = looks.later(24).finds(Status::Warning);
    assert_eq!(seen.evidence.len(), 1, "the primary key guards, the other is small: {seen:#?}");
    assert!(seen.evidence[0].starts_with("public.t.large, ") && seen.evidence[0].ends_with("unused for 14d 0h"));
    looks.with("warning = '1 MiB'\ncritical = '2 MiB'").finds(Status::Critical);

    // Used once, it is out of suspicion for another two weeks.
    database.sql("SET enable_seqscan = off; SELECT count(*) FROM t WHERE a = 5");
    looks.finds(Status::Ok);
    looks.later(13 * 24).finds(Status::Ok);
    looks.later(2 * 24).finds(Status::Critical);

    // Counters that begin anew prove nothing.
    database.sql("SELECT pg_stat_reset()");
    let seen = looks.finds(Status::NotApplicable);
    assert!(seen.summary.starts_with("observed for 0.0s"), "{seen:?}");
}

#[test]
fn a_crash_begins_a_new_observation_of_indexes() {
    let server = OwnPostgres::start();
    let mut looks = Looks::new("unused_indexes", &server.socket_url("postgres"), "");
    looks.finds(Status::NotApplicable);
    looks.later(15 * 24).finds(Status::Ok);
    server.stop();
    server.resume();
    looks.finds(Status::Ok);
    // Its counters are gone, and nothing that the server itself says of them tells.
    server.crash();
    server.resume();
    let seen = looks.finds(Status::NotApplicable);
    assert!(seen.summary.starts_with("observed for 0.0s"), "{seen:?}");
}

#[test]
fn an_index_that_repeats_another_is_found_and_the_one_that_guards_is_kept() {
    let database = Postgres::shared().database();
    database.sql(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b int); CREATE INDEX partial ON t (b) WHERE b > 0; \
         CREATE INDEX whole ON t (b); CREATE INDEX other_way ON t (b DESC); CREATE INDEX pattern ON t (a text_pattern_ops); \
         CREATE INDEX plain ON t (a); CREATE INDEX expression ON t (lower(a)); \
         INSERT INTO t SELECT i, i, i FROM generate_series(1, 1000) i",
    );
    let mut looks = Looks::new("duplicate_indexes", &database.url(), "warning = 1\ncritical = '60 KiB'");
    looks.finds(Status::Ok);
    database.sql("CREATE INDEX again ON t (id)");
    let seen = looks.finds(Status::Warning);
    assert!(
        seen.evidence[0].starts_with("again on public.t") && seen.evidence[0].ends_with("repeats t_pkey"),
        "{seen:#?}"
    );
    database.sql("CREATE INDEX  expression_too  ON  t  ( lower( a ) )");
    let seen = looks.finds(Status::Critical);
    assert!(seen.evidence.iter().any(|line| line.ends_with("repeats expression")), "{seen:#?}");
    looks.with("warning = 1\nexclude = ['public.t']").finds(Status::Ok);
    database.sql("DROP INDEX again, expression_too");
    looks.with("warning = 1").finds(Status::Ok);
}
