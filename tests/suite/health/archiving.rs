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
fn a_server_that_does_not_archive_is_not_judged() {
    Watch::new("archiving", &Postgres::shared().url("postgres"), "").not_applicable().says("archive_mode is off");
}
