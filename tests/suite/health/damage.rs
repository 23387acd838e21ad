//! Checks of what is damaged: pages, and indexes out of order.

use std::fs;

use caretaker::state::Status;

use super::looks::Looks;
use crate::support::{OwnPostgres, Postgres, unique};

#[test]
fn a_page_that_changed_on_disk_is_found_once_it_is_read() {
    let server = OwnPostgres::start();
    let sql = |sql: &str| server.sql("postgres", sql);
    let settings = "warning = 1\ncritical = 2";
    let mut looks = Looks::new("checksum_failures", &server.socket_url("postgres"), settings);
    let seen = looks.finds(Status::NotApplicable);
    assert!(seen.summary.contains("pg_checksums --enable"), "{seen:?}");
    server.stop();
    server.enable_checksums();
    server.resume();
    sql("CREATE TABLE t AS SELECT i, repeat('x', 500) AS body FROM generate_series(1, 1000) i; CHECKPOINT");
    looks.finds(Status::Ok);

    let file = server.data().join(sql("SELECT pg_relation_filepath('t')").trim());
    server.stop();
    let whole = fs::read(&file).unwrap();
    let mut broken = whole.clone();
    broken[5000] ^= 1;
    fs::write(&file, &broken).unwrap();
    server.resume();
    assert!(server.try_sql("postgres", "SELECT count(*) FROM t").stderr.contains("invalid page"));
    let seen = looks.comes_to(Status::Warning);
    assert!(seen.evidence[0].starts_with("the last one at 20"), "{seen:?}");
    server.try_sql("postgres", "SELECT count(*) FROM t");
    looks.comes_to(Status::Critical);

    server.stop();
    fs::write(&file, &whole).unwrap();
    server.resume();
    sql("SELECT count(*) FROM t; SELECT pg_stat_reset()");
    looks.finds(Status::Ok);
}

#[test]
fn an_index_whose_order_has_changed_is_found_by_amcheck() {
    let database = Postgres::shared().database();
    let settings = "warning = 1\ncritical = 2";
    let mut looks = Looks::new("amcheck", &database.url(), settings);
    let seen = looks.finds(Status::NotApplicable);
    assert!(seen.summary.contains("CREATE EXTENSION amcheck"), "{seen:?}");
    // An order of one's own stands for a collation, which an upgrade of the system changes.
    let order = |sql: &str| {
        database.sql(&format!(
            "CREATE OR REPLACE FUNCTION compare(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT {sql}'"
        ));
    };
    order("btint4cmp($1, $2)");
    database.sql(
        "CREATE EXTENSION amcheck; CREATE OPERATOR CLASS own FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, \
         OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 compare(int, int); \
         CREATE TABLE t (a int, b int); INSERT INTO t SELECT i, i FROM generate_series(1, 500) i; \
         CREATE INDEX one ON t (a own)",
    );
    looks.finds(Status::Ok);
    order("btint4cmp($2, $1)");
    let seen = looks.finds(Status::Warning);
    assert!(
        seen.evidence[0].starts_with("public.t.one: ") && seen.evidence[0].contains("invariant violated"),
        "{seen:#?}"
    );
    order("btint4cmp($1, $2)");
    database.sql("CREATE INDEX two ON t (b own)");
    order("btint4cmp($2, $1)");
    looks.finds(Status::Critical);
    looks.with("exclude = ['public.t']").finds(Status::Ok);
    database.sql("REINDEX INDEX one; REINDEX INDEX two");
    looks.with(settings).finds(Status::Ok);
}

#[test]
fn an_index_that_lacks_a_row_of_its_table_is_found_by_amcheck() {
    let database = Postgres::shared().database();
    database
        .sql("CREATE EXTENSION amcheck; CREATE TABLE t (a int); CREATE INDEX one ON t (a); INSERT INTO t VALUES (1)");
    let mut looks = Looks::new("amcheck", &database.url(), "");
    looks.finds(Status::Ok);
    let ready = |ready: bool| {
        database.sql(&format!("UPDATE pg_index SET indisready = {ready} WHERE indexrelid = 'one'::regclass"));
    };
    ready(false);
    database.sql("INSERT INTO t VALUES (2)");
    ready(true);
    let seen = looks.finds(Status::Critical);
    assert!(seen.evidence[0].contains("public.t.one: ") && seen.evidence[0].contains("lacks"), "{seen:#?}");
    database.sql("REINDEX INDEX one");
    looks.finds(Status::Ok);
}

#[test]
fn a_table_with_a_broken_row_is_found_by_amcheck() {
    let server = OwnPostgres::start();
    let sql = |sql: &str| server.sql("postgres", sql);
    sql("CREATE EXTENSION amcheck; CREATE TABLE t AS SELECT 1 AS a; CHECKPOINT");
    let mut looks = Looks::new("amcheck", &server.socket_url("postgres"), "");
    looks.finds(Status::Ok);
    let file = server.data().join(sql("SELECT pg_relation_filepath('t')").trim());
    server.stop();
    let whole = fs::read(&file).unwrap();
    // The first row's xmin becomes one that is still to come.
    let pointer = u32::from_le_bytes(whole[24..28].try_into().unwrap());
    let row = usize::try_from(pointer & 0x7fff).unwrap();
    let mut broken = whole.clone();
    broken[row..row + 4].copy_from_slice(&1_000_000_u32.to_le_bytes());
    fs::write(&file, &broken).unwrap();
    server.resume();
    let seen = looks.finds(Status::Critical);
    assert!(seen.evidence[0].starts_with("public.t: 1 damaged, the first: block 0, row 1: xmin 1000000"), "{seen:#?}");
    server.stop();
    fs::write(&file, &whole).unwrap();
    server.resume();
    looks.finds(Status::Ok);
}

#[test]
fn who_may_not_run_amcheck_is_told_what_to_grant() {
    let database = Postgres::shared().database();
    let role = unique("role");
    database.sql(&format!("CREATE ROLE \"{role}\" LOGIN PASSWORD 'x'; CREATE EXTENSION amcheck"));
    let url = database.server().url_as(&role, Some("x"), &database.name);
    let mut looks = Looks::new("amcheck", &url, "");
    let seen = looks.finds(Status::Unknown);
    assert!(seen.advice.unwrap().starts_with("GRANT EXECUTE ON FUNCTION bt_index_check(regclass, boolean)"));
    database.sql(&looks.look().advice.unwrap());
    looks.finds(Status::Ok);
    database.sql(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\""));
}
