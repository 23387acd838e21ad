//! oldest_snapshot, prepared_transactions, rollbacks.

use jiff::SignedDuration;

use super::watch::{Says as _, Session, Watch};
use crate::support::{Database, Postgres, unique};
use caretaker::state::Status;

/// Takes transaction ids, which are the whole server's.
fn burn(database: &Database, count: u32) {
    database.sql(&format!("DO $$ BEGIN FOR i IN 1..{count} LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$;"));
}

fn hold(database: &Database, name: &str) -> Session {
    let url = format!("{}&application_name={name}", database.socket_url());
    let sql = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_class LIMIT 1";
    Session::open(&url, &database.server().bindir, sql)
}

#[test]
fn whoever_holds_an_old_snapshot_is_named_until_he_lets_it_go() {
    let database = Postgres::shared().database();
    let watch = Watch::new("oldest_snapshot", &database.url(), "warning = 1000\ncritical = 50000");
    watch.ok();
    let report = hold(&database, "report");
    burn(&database, 1100);
    watch.warns().says("session \"report\" of postgres").says("holds a snapshot");
    burn(&database, 50_000);
    watch.critical();
    drop(report);
    watch.comes_to(Status::Ok);
}

#[test]
fn a_snapshot_of_caretakers_own_is_shown_and_not_judged() {
    let database = Postgres::shared().database();
    let watch = Watch::new("oldest_snapshot", &database.url(), "warning = 100\ncritical = 200");
    let _dump = hold(&database, "caretaker%20dump");
    burn(&database, 300);
    watch.ok().says("Caretaker's own");
}

#[test]
fn a_prepared_transaction_holds_a_snapshot_and_grows_old() {
    let database = Postgres::shared().database();
    let snapshot = Watch::new("oldest_snapshot", &database.url(), "warning = 100\ncritical = 1000000");
    let age = Watch::new("prepared_transactions", &database.url(), "warning = '1s'\ncritical = '3s'");
    age.ok().says("no prepared transactions");
    let gid = unique("gid");
    database.sql(&format!("BEGIN; CREATE TABLE t (id int); PREPARE TRANSACTION '{gid}'"));
    burn(&database, 200);
    snapshot.warns().says("prepared transaction").says(&gid);
    age.comes_to(Status::Warning).says(&gid);
    age.comes_to(Status::Critical).says("ROLLBACK PREPARED");
    database.sql(&format!("ROLLBACK PREPARED '{gid}'"));
    age.ok();
    snapshot.ok();
}

#[test]
fn an_inactive_slot_that_holds_the_catalogue_back_is_named() {
    let server = crate::support::OwnPostgres::start_with(&["wal_level = logical"]);
    let watch = Watch::new("oldest_snapshot", &server.url("postgres"), "warning = 1000\ncritical = 1000000");
    server.sql("postgres", "SELECT pg_create_logical_replication_slot('gone', 'test_decoding')");
    server.sql("postgres", "DO $$ BEGIN FOR i IN 1..1100 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$;");
    watch.warns().says("slot \"gone\", inactive");
    server.sql("postgres", "SELECT pg_drop_replication_slot('gone')");
    watch.ok();
}

#[test]
fn the_share_of_rollbacks_is_that_since_the_last_look() {
    let database = Postgres::shared().database();
    let mut watch = Watch::new("rollbacks", &database.url(), "warning = 0.2\ncritical = 0.6");
    let run = |commits: u32, rollbacks: u32| {
        database.sql(&format!(
            "DO $$ BEGIN FOR i IN 1..{commits} LOOP PERFORM txid_current(); COMMIT; END LOOP;
             FOR i IN 1..{rollbacks} LOOP PERFORM txid_current(); ROLLBACK; END LOOP; END $$;"
        ));
    };
    watch.not_applicable().says("first look");
    for (commits, rollbacks, expected) in
        [(400, 10, Status::Ok), (400, 200, Status::Warning), (100, 400, Status::Critical), (1000, 0, Status::Ok)]
    {
        run(commits, rollbacks);
        watch.pass(SignedDuration::from_mins(5));
        watch.sees(expected).says("were rolled back within");
    }
    // So few that one is a large share.
    run(0, 5);
    watch.pass(SignedDuration::from_mins(5));
    watch.ok();
}
