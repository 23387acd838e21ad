//! pending_restart, versions.

use jiff::{SignedDuration, Timestamp};

use super::watch::{Says as _, Watch};
use crate::support::{OwnPostgres, Postgres};
use caretaker::state::Status;

#[test]
fn settings_that_wait_for_a_restart_are_named_until_they_are_taken_back() {
    let server = OwnPostgres::start();
    let watch = Watch::new("pending_restart", &server.url("postgres"), "critical = 2");
    watch.ok();
    let set = |what: &str| {
        server.sql("postgres", &format!("ALTER SYSTEM {what}"));
        server.sql("postgres", "SELECT pg_reload_conf()");
    };
    set("SET max_connections = 77");
    watch.comes_to(Status::Warning).says("max_connections: still 100 (from");
    set("SET max_worker_processes = 17");
    watch.comes_to(Status::Critical);
    // The server keeps the flag of a setting that is merely taken out of the file.
    set("SET max_worker_processes = 8");
    watch.comes_to(Status::Warning);
    set("SET max_connections = 100");
    watch.comes_to(Status::Ok);
}

/// The server is the one that Debian has; the calendar is turned instead.
#[test]
fn the_end_of_the_servers_version_comes_nearer() {
    let url = Postgres::shared().url("postgres");
    let major = Postgres::shared().sql("postgres", "SELECT current_setting('server_version_num')::int / 10000");
    let end: Timestamp = match major.trim() {
        "15" => "2027-11-12T00:00:00Z",
        "16" => "2028-11-10T00:00:00Z",
        "17" => "2029-11-09T00:00:00Z",
        "18" => "2030-11-15T00:00:00Z",
        other => panic!("PostgreSQL {other}: extend this test"),
    }
    .parse()
    .unwrap();
    for (before, expected) in [(400, Status::Ok), (100, Status::Warning), (-1, Status::Critical), (200, Status::Ok)] {
        let mut watch = Watch::new("versions", &url, "");
        watch.pass((end - SignedDuration::from_hours(24 * before)).duration_since(Timestamp::now()));
        watch.sees(expected).says(&format!("PostgreSQL {}", major.trim()));
    }
}
