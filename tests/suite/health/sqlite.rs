//! The checks of a SQLite file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;

use super::watch::{Says as _, Watch};
use crate::support::{Sandbox, sqlite_url, stock};
use caretaker::state::Status;

/// A database of so many rows.
fn watch(check: &str, settings: &str, rows: u32) -> (Watch, PathBuf) {
    let sandbox = Sandbox::new();
    let path = sandbox.sqlite("notes.db", rows);
    (Watch::with(sandbox, check, &sqlite_url(&path), settings, "", JOB), path)
}

/// Whose copies are stored as they are, damaged ones too.
const JOB: &str = "[backup.nightly]\ndatabase = 'app'\nstores = ['local']\ncheck = 'none'\n";

/// A connection of the application's; the statements have run.
fn connection(path: &Path, sql: &str) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch(sql).unwrap();
    connection
}

/// Lets go of a connection after a while.
fn let_go(connection: rusqlite::Connection, after: Duration) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        std::thread::sleep(after);
        drop(connection);
    })
}

const LOCKED: &str = "PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE";

#[test]
fn a_file_that_cannot_be_opened_is_critical_until_it_is_back() {
    let (watch, path) = watch("connectivity", "", 10);
    watch.ok().says("journal mode wal");
    std::fs::rename(&path, path.with_extension("away")).unwrap();
    watch.critical().says("does not exist");
    assert!(!path.exists(), "looking makes no file");
    std::fs::write(&path, "not a database, though it is long enough to be one").unwrap();
    watch.critical().says("not a SQLite database");
    std::fs::rename(path.with_extension("away"), &path).unwrap();
    let gone = let_go(connection(&path, LOCKED), Duration::from_millis(1500));
    watch.warns();
    gone.join().unwrap();
    watch.ok();
}

#[test]
fn a_reader_that_has_to_wait_for_a_lock_is_told_how_long() {
    let (watch, path) = watch("lock_wait", "", 10);
    watch.ok();
    let gone = let_go(connection(&path, LOCKED), Duration::from_millis(1500));
    watch.warns().says("fuser");
    gone.join().unwrap();
    let held = connection(&path, LOCKED);
    watch.critical().says("did not get in");
    drop(held);
    watch.ok();
}

#[test]
fn free_pages_are_a_share_of_the_file_until_it_is_vacuumed() {
    let (watch, path) = watch("freelist", "", 10);
    for (id, mib) in [(11, 40), (12, 40), (13, 60)] {
        stock::sqlite(
            &path,
            &format!("INSERT INTO note (id, title, body, made) VALUES ({id}, 'x', zeroblob({mib} << 20), '')"),
        );
    }
    watch.ok();
    // Less than 64 MiB is no concern, however small the file.
    stock::sqlite(&path, "DELETE FROM note WHERE id = 11");
    watch.ok();
    stock::sqlite(&path, "DELETE FROM note WHERE id = 12");
    watch.warns().says("pages are free").says("VACUUM");
    stock::sqlite(&path, "DELETE FROM note WHERE id = 13");
    watch.critical();
    stock::sqlite(&path, "VACUUM");
    watch.ok();
}

#[test]
fn a_write_ahead_log_that_is_not_written_back_grows_until_it_is() {
    let (watch, path) = watch("wal_size", "warning = '100KiB'\ncritical = '1MiB'", 10);
    watch.ok();
    let writer = connection(
        &path,
        "PRAGMA wal_autocheckpoint = 0; INSERT INTO note (title, body, made) VALUES ('a', hex(zeroblob(100000)), '')",
    );
    watch.warns();
    writer.execute_batch("INSERT INTO note (title, body, made) VALUES ('a', hex(zeroblob(1000000)), '')").unwrap();
    watch.critical().says("wal_checkpoint");
    writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    watch.ok();
    drop(writer);
    stock::sqlite(&path, "PRAGMA journal_mode = DELETE");
    watch.not_applicable().says("delete");
}

#[test]
fn a_file_that_has_left_wal_mode_is_told_until_it_is_back() {
    let (mut watch, path) = watch("journal_mode", "", 10);
    watch.ok();
    stock::sqlite(&path, "PRAGMA journal_mode = DELETE");
    watch.warns().says("the journal mode is delete, and was wal");
    watch.change("[health.app.checks.journal_mode]", "[health.app.checks.journal_mode]\ncritical = 1");
    watch.critical();
    stock::sqlite(&path, "PRAGMA journal_mode = WAL");
    watch.ok();
}

#[test]
fn a_file_that_never_was_in_wal_mode_is_as_its_owner_wants_it() {
    let (watch, path) = watch("journal_mode", "", 10);
    stock::sqlite(&path, "PRAGMA journal_mode = DELETE");
    watch.ok();
}

#[test]
fn growth_is_told_from_its_own_samples() {
    let (mut watch, path) = watch("growth", "warning = 0.5\ncritical = 1", 1000);
    let day = SignedDuration::from_hours(24);
    let grow = |mib: u32| {
        stock::sqlite(&path, &format!("INSERT INTO note (title, body, made) VALUES ('x', zeroblob({mib} << 20), '')"));
    };
    watch.not_applicable().says("its growth shows after a day").says("of it free pages");
    // Less than 64 MiB is no concern, however small the file.
    grow(50);
    watch.pass(day);
    watch.ok();
    grow(40);
    watch.pass(day);
    watch.ok();
    grow(70);
    watch.pass(day);
    watch.warns().says("more a day");
    watch.change("critical = 1", "critical = 0.6");
    watch.critical();
    stock::sqlite(&path, "DELETE FROM note WHERE id > 1000");
    watch.pass(day);
    watch.ok().says("less a day");
}

/// The index is made to say something else than its table.
const DAMAGE: &str = "PRAGMA writable_schema = ON; \
    UPDATE sqlite_schema SET sql = 'CREATE INDEX by_title ON note (body)' WHERE name = 'by_title'";
const REPAIR: &str = "PRAGMA writable_schema = ON; \
    UPDATE sqlite_schema SET sql = 'CREATE INDEX by_title ON note (title)' WHERE name = 'by_title'";

#[test]
fn damage_is_found_in_the_file_itself_or_in_the_newest_backups_copy() {
    let (mut watch, path) = watch("integrity", "warning = 1\ncritical = 1000", 50);
    stock::sqlite(&path, "CREATE INDEX by_title ON note (title)");
    watch.ok().says("looked at the file itself: there is no backup");
    stock::sqlite(&path, DAMAGE);
    watch.warns().says("by_title").says(".recover");
    watch.change("critical = 1000", "critical = 1");
    watch.critical();

    let abandoned = watch.sandbox.state().join("health-copy.killed");
    stock::shell(r#"touch -d '7 hours ago' "$1""#, &[&abandoned]).succeeds();
    let backup = || watch.sandbox.caretaker(&["job", "run", "nightly"]).succeeds();
    backup();
    watch.critical().says("looked at the copy in backup");
    stock::sqlite(&path, REPAIR);
    // The copy is still the damaged one.
    watch.critical();
    backup();
    watch.ok().says("looked at the copy in backup");
    let left = std::fs::read_dir(watch.sandbox.state()).unwrap();
    let left = left.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("health-copy"));
    assert_eq!(left.count(), 0, "unpacked copies are removed");
}

#[test]
fn rows_that_refer_to_nothing_are_counted_until_they_are_gone() {
    let (watch, path) = watch("foreign_keys", "critical = 3", 10);
    stock::sqlite(
        &path,
        "CREATE TABLE tag (note INTEGER REFERENCES note (id), tag TEXT); INSERT INTO tag VALUES (1, 'a')",
    );
    watch.ok();
    stock::sqlite(&path, "INSERT INTO tag VALUES (100, 'b')");
    watch.warns().says("row 2 of tag refers to a row of note that does not exist");
    stock::sqlite(&path, "INSERT INTO tag VALUES (101, 'c'), (102, 'd')");
    watch.critical().says("foreign_keys = ON");
    stock::sqlite(&path, "DELETE FROM tag WHERE note > 10");
    watch.ok();
    assert_eq!(watch.look().status, Status::Ok);
}
