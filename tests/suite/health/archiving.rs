//! archiving

use super::watch::{Says as _, Watch};
use crate::support::{OwnPostgres, Postgres};
use caretaker::state::Status;

#[test]
fn archiving_that_fails_now_is_found_until_the_segments_are_gone() {
    let flag = tempfile::Builder::new().prefix("archive.").tempdir().unwrap();
    std::fs::set_permissions(flag.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let broken = flag.path().join("broken");
    let command = format!("archive_command = 'test ! -e {}'", broken.display());
    let server = OwnPostgres::start_with(&["archive_mode = on", "wal_level = replica", &command]);
    let switch = || {
        server.sql("postgres", "CREATE TABLE IF NOT EXISTS t (i int); INSERT INTO t VALUES (1); SELECT pg_switch_wal()")
    };
    let watch = Watch::new("archiving", &server.url("postgres"), "warning = '2s'\ncritical = '4s'");
    switch();
    watch.comes_to(Status::Ok).says("segments archived");
    std::fs::write(&broken, "").unwrap();
    switch();
    watch.comes_to(Status::Warning).says("archiving is failing");
    watch.comes_to(Status::Critical).says("archive_command");
    std::fs::remove_file(&broken).unwrap();
    server.sql("postgres", "SELECT pg_reload_conf()");
    watch.comes_to(Status::Ok).says("no WAL segment waits");
    // What failed once, and no longer does, stays in the counters alone.
    assert!(!server.sql("postgres", "SELECT failed_count FROM pg_stat_archiver").starts_with('0'));
}

#[test]
fn who_may_not_see_the_waiting_segments_says_so_and_sees_that_archiving_fails_all_the_same() {
    let folder = tempfile::Builder::new().prefix("archive.").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let broken = folder.path().join("broken");
    let command = format!("archive_command = 'test ! -e {}'", broken.display());
    let server = OwnPostgres::start_with(&["archive_mode = on", "wal_level = replica", &command]);
    let sql = |sql: &str| server.sql("postgres", sql);
    sql("CREATE ROLE blind LOGIN PASSWORD 'x'; CREATE TABLE t (i int); SELECT pg_switch_wal()");
    let url = server.url_as("blind", Some("x"), "postgres");
    let mut watch = Watch::new("archiving", &url, "warning = '1h'\ncritical = '2h'");
    watch.unknown("GRANT pg_monitor TO \"blind\"");
    std::fs::write(&broken, "").unwrap();
    sql("INSERT INTO t VALUES (1); SELECT pg_switch_wal()");
    watch.comes_to(Status::Warning).says("archiving is failing");
    // Without the folder the time is that since the last success.
    watch.change("warning = '1h'\ncritical = '2h'", "warning = '1s'\ncritical = '1s'");
    watch.comes_to(Status::Critical);
    std::fs::remove_file(&broken).unwrap();
    sql("SELECT pg_reload_conf()");
    watch.comes_to(Status::Unknown);
    sql("GRANT pg_monitor TO blind");
    watch.comes_to(Status::Ok).says("no WAL segment waits");
}

#[test]
fn a_server_that_does_not_archive_is_not_judged() {
    Watch::new("archiving", &Postgres::shared().url("postgres"), "").not_applicable().says("archive_mode is off");
}
