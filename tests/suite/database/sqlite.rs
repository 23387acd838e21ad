//! Copies of live SQLite databases.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use caretaker::config::SqliteCheck;
use caretaker::database::sqlite::{
    CheckReport, CopyReport, SqliteCopy, SqliteError, SqliteErrorKind as Kind, Value, backup, check, restore_into_new,
};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn database(folder: &TempDir, sql: &str) -> PathBuf {
    let path = folder.path().join("source # 100%?.db");
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    path
}

/// `bytes` in rows of 1 KiB.
fn big(folder: &TempDir, journal_mode: &str, bytes: u64) -> PathBuf {
    let rows = bytes / 1024;
    database(
        folder,
        &format!(
            "PRAGMA journal_mode = {journal_mode}; PRAGMA synchronous = OFF;
             CREATE TABLE filler (id INTEGER PRIMARY KEY, v BLOB); CREATE TABLE ticks (id INTEGER PRIMARY KEY, a, b);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
             INSERT INTO filler SELECT i, randomblob(1000) FROM n;"
        ),
    )
}

async fn copy(source: &Path, staging: &Path) -> Result<CopyReport, SqliteError> {
    backup(source, staging, |_, _| {}, &CancellationToken::new()).await
}

async fn full_check(copy: &Path) -> CheckReport {
    check(copy, SqliteCheck::Full, &CancellationToken::new()).await.unwrap()
}

fn open(copy: &Path) -> SqliteCopy {
    SqliteCopy::open(copy, &CancellationToken::new()).unwrap()
}

/// What stock sqlite3 says.
fn sqlite3(path: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3").arg(path).arg(sql).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Writes about 50 times a second, each time two equal values in one transaction; returns the longest wait.
struct Writer(Arc<AtomicBool>, JoinHandle<(Duration, u32)>);

impl Writer {
    fn start(path: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, path) = (Arc::clone(&stop), path.to_owned());
        let writer = std::thread::spawn(move || {
            let connection = Connection::open(path).unwrap();
            connection.busy_timeout(Duration::from_secs(60)).unwrap();
            connection.execute_batch("PRAGMA synchronous = NORMAL").unwrap();
            let (mut longest, mut count) = (Duration::ZERO, 0);
            while !stopped.load(Ordering::Relaxed) {
                let began = Instant::now();
                connection.execute("INSERT INTO ticks (a, b) VALUES (?1, ?1)", [count]).unwrap();
                longest = longest.max(began.elapsed());
                count += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            (longest, count)
        });
        std::thread::sleep(Duration::from_millis(100));
        Self(stop, writer)
    }

    fn stop(self) -> (Duration, u32) {
        self.0.store(true, Ordering::Relaxed);
        self.1.join().unwrap()
    }
}

/// The same from a process of its own, for ten seconds at most.
struct WritingProcess(Child);

impl WritingProcess {
    fn start(path: &Path) -> Self {
        let script = format!(
            "i=0; while [ $i -lt 500 ]; do echo 'INSERT INTO ticks (a, b) VALUES (7, 7);'; i=$((i + 1)); sleep 0.02; done |
             sqlite3 -cmd '.timeout 60000' '{}'",
            path.display()
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdout(Stdio::null()).stderr(Stdio::null());
        Self(std::os::unix::process::CommandExt::process_group(&mut command, 0).spawn().unwrap())
    }
}

impl Drop for WritingProcess {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.0.id())]).status();
        let _ = self.0.wait();
    }
}

fn size() -> u64 {
    std::env::var("CARETAKER_TEST_SQLITE_MB").map_or(60, |mb| mb.parse().unwrap()) * 1024 * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wal_database_under_writers_is_copied_in_one_pass_and_nobody_waits() {
    let folder = folder();
    let source = big(&folder, "wal", size());
    let process = WritingProcess::start(&source);
    let writer = Writer::start(&source);
    let staging = folder.path().join("copy");
    let report = copy(&source, &staging).await.unwrap();
    let (longest, writes) = writer.stop();
    drop(process);
    eprintln!("{report:?}; longest writer wait {longest:?} of {writes} writes");
    assert_eq!((report.journal_mode.as_str(), report.restarts, report.locked_pass), ("wal", 0, false));
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    assert_eq!(full_check(&staging).await, CheckReport::default());
    assert_eq!(std::fs::metadata(&staging).unwrap().len(), report.pages * u64::from(report.page_size));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_rollback_journal_a_busy_database_is_copied_in_a_locked_pass() {
    let folder = folder();
    let source = big(&folder, "delete", size());
    let writer = Writer::start(&source);
    let staging = folder.path().join("copy");
    let report = copy(&source, &staging).await.unwrap();
    let (longest, writes) = writer.stop();
    eprintln!("{report:?}; longest writer wait {longest:?} of {writes} writes");
    assert!(report.restarts > 0, "{report:?}");
    assert_eq!(full_check(&staging).await, CheckReport::default());
    assert_eq!(sqlite3(&staging, "SELECT count(*) FROM ticks WHERE a <> b"), "0");
}

#[tokio::test]
async fn a_wal_that_was_not_checkpointed_is_in_the_copy_and_left_as_it_was() {
    let folder = folder();
    let source = database(&folder, "PRAGMA journal_mode = wal; CREATE TABLE t (v); INSERT INTO t VALUES (1)");
    let writer = Connection::open(&source).unwrap();
    writer.execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES (2), (3)").unwrap();
    // As after a crash: nobody has it open, and the WAL is full.
    writer.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    drop(writer);
    let wal = folder.path().join("source # 100%?.db-wal");
    let before = (std::fs::read(&source).unwrap(), std::fs::read(&wal).unwrap());

    let staging = folder.path().join("copy");
    copy(&source, &staging).await.unwrap();
    assert_eq!((std::fs::read(&source).unwrap(), std::fs::read(&wal).unwrap()), before);
    let copied = open(&staging);
    assert_eq!(copied.count_rows("t").unwrap(), 3);
    assert_eq!(std::fs::read(&staging).unwrap()[18..20], [2, 2]);
    assert!(!folder.path().join("copy-wal").exists());
    drop(copied);
    assert_eq!(sqlite3(&staging, "SELECT sum(v) FROM t; PRAGMA journal_mode"), "6\nwal");
}

#[tokio::test]
async fn a_wal_database_nobody_has_open_is_left_without_companions() {
    let folder = folder();
    let source = database(&folder, "PRAGMA journal_mode = wal; CREATE TABLE t (v); INSERT INTO t VALUES (1)");
    let before = std::fs::read(&source).unwrap();
    copy(&source, &folder.path().join("copy")).await.unwrap();
    assert_eq!(std::fs::read(&source).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn what_is_not_a_database_is_refused_and_nothing_is_left_behind() {
    let folder = folder();
    let place = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let staging = folder.path().join("copy");
    let cases = [
        (folder.path().join("missing.db"), Kind::Missing),
        (folder.path().to_owned(), Kind::NotAFile("a directory")),
        (PathBuf::from("/dev/null"), Kind::NotAFile("a device")),
        (place("empty.db", b""), Kind::Empty),
        (place("garbage.db", &[0xa5; 8192]), Kind::NotADatabase),
        (place("short.db", b"SQLite format 3\0"), Kind::NotADatabase),
    ];
    for (path, kind) in cases {
        let error = copy(&path, &staging).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(!staging.exists());
        assert_eq!(path.exists(), kind != Kind::Missing);
    }
}

#[tokio::test]
async fn an_existing_staging_file_is_never_overwritten() {
    let folder = folder();
    let source = database(&folder, "CREATE TABLE t (v)");
    let staging = folder.path().join("copy");
    std::fs::write(&staging, "precious").unwrap();
    assert!(copy(&source, &staging).await.is_err());
    assert_eq!(std::fs::read(&staging).unwrap(), b"precious");
}

#[tokio::test]
async fn a_crashed_writers_journal_is_rolled_back_before_copying() {
    let folder = folder();
    let source = database(&folder, "PRAGMA journal_mode = delete; CREATE TABLE t (v); INSERT INTO t VALUES (1)");
    let (source_copy, journal) = (folder.path().join("crashed.db"), folder.path().join("crashed.db-journal"));
    let writer = Connection::open(&source).unwrap();
    // One page of cache: the change reaches the file before it is committed.
    writer.execute_batch("PRAGMA cache_size = 1; BEGIN").unwrap();
    for _ in 0..500 {
        writer.execute("INSERT INTO t VALUES (randomblob(4000))", []).unwrap();
    }
    std::fs::copy(folder.path().join("source # 100%?.db-journal"), &journal).unwrap();
    std::fs::copy(&source, &source_copy).unwrap();
    let staging = folder.path().join("copy");
    copy(&source_copy, &staging).await.unwrap();
    assert_eq!(open(&staging).count_rows("t").unwrap(), 1);
}

#[tokio::test]
async fn every_kind_of_table_is_copied_listed_and_read() {
    let folder = folder();
    let source = database(
        &folder,
        r#"CREATE TABLE plain (a, b TEXT, c INT GENERATED ALWAYS AS (a * 2) VIRTUAL, d INT AS (a * 3) STORED);
           INSERT INTO plain VALUES (1, 'x'), (2.5, NULL), (x'00ff', CAST(x'ff' AS TEXT));
           CREATE TABLE "odd ""name""" (k TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO "odd ""name""" VALUES ('é');
           CREATE TABLE strict_one (n INTEGER PRIMARY KEY AUTOINCREMENT) STRICT; INSERT INTO strict_one VALUES (7);
           CREATE VIRTUAL TABLE words USING fts5(body); INSERT INTO words VALUES ('hello world');
           CREATE VIEW v AS SELECT * FROM plain; PRAGMA page_size = 8192; VACUUM"#,
    );
    let staging = folder.path().join("copy");
    let report = copy(&source, &staging).await.unwrap();
    assert_eq!(report.page_size, 8192);
    assert_eq!(full_check(&staging).await, CheckReport::default());
    let copied = open(&staging);
    let shadows = ["words_config", "words_content", "words_data", "words_docsize", "words_idx"];
    let mut names = vec!["odd \"name\"", "plain", "strict_one"];
    names.extend(shadows);
    assert_eq!(copied.tables().unwrap(), names);
    let mut rows = Vec::new();
    let count =
        copied.for_each_row("plain", |row| rows.push(format!("{:?}", row.values().collect::<Vec<_>>()))).unwrap();
    assert_eq!(count, 3);
    assert_eq!(rows[0], format!("{:?}", [Value::Integer(1), Value::Text(b"x")]));
    assert_eq!(rows[1], format!("{:?}", [Value::Real(2.5), Value::Null]));
    assert_eq!(rows[2], format!("{:?}", [Value::Blob(&[0, 255]), Value::Text(&[255])]));
    assert_eq!(copied.count_rows("odd \"name\"").unwrap(), 1);
    assert_eq!(sqlite3(&staging, "SELECT body FROM words WHERE words MATCH 'world'"), "hello world");
}

#[tokio::test]
async fn damage_and_orphans_are_found_and_bounded() {
    let folder = folder();
    let source = database(
        &folder,
        "PRAGMA foreign_keys = OFF; CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (p REFERENCES parent(id));
         CREATE TABLE filler (v); CREATE INDEX i ON filler (v);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) INSERT INTO child SELECT i FROM n;
         INSERT INTO filler SELECT randomblob(500) FROM child;",
    );
    let report = full_check(&source).await;
    assert_eq!((report.findings.len(), report.total), (100, 250));
    assert!(report.findings[0].text.contains("row 1 of child refers to a row of parent"), "{:?}", report.findings[0]);
    let mut bytes = std::fs::read(&source).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0x5a);
    let damaged = folder.path().join("damaged.db");
    std::fs::write(&damaged, bytes).unwrap();
    let report = check(&damaged, SqliteCheck::Quick, &CancellationToken::new()).await.unwrap();
    assert!(report.findings.iter().any(|finding| finding.check == "quick_check"), "{report:?}");
}

#[tokio::test]
async fn a_cancelled_copy_ends_soon_and_leaves_nothing() {
    let folder = folder();
    let source = big(&folder, "wal", 30 * 1024 * 1024);
    let staging = folder.path().join("copy");
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    let error = backup(
        &source,
        &staging,
        move |done, _| {
            if done > 2000 {
                token.cancel()
            }
        },
        &cancel,
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind, Kind::Cancelled);
    assert!(!staging.exists());
}

#[tokio::test]
async fn a_restore_never_replaces_anything() {
    let folder = folder();
    let source = database(&folder, "CREATE TABLE t (v); INSERT INTO t VALUES (1)");
    let cancel = CancellationToken::new();
    let target = folder.path().join("target.db");
    restore_into_new(&source, &target, &cancel).await.unwrap();
    assert_eq!(sqlite3(&target, "SELECT v FROM t"), "1");
    let error = restore_into_new(&source, &target, &cancel).await.unwrap_err();
    assert!(matches!(error.kind, Kind::TargetExists(_)), "{error}");

    let empty = folder.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    restore_into_new(&source, &empty, &cancel).await.unwrap();
    let beside = folder.path().join("beside.db");
    std::fs::write(folder.path().join("beside.db-wal"), "old").unwrap();
    assert!(restore_into_new(&source, &beside, &cancel).await.is_err());
    assert!(!beside.exists());
    let nowhere = restore_into_new(&source, &folder.path().join("no/such/folder.db"), &cancel).await.unwrap_err();
    assert_eq!(nowhere.kind, Kind::Missing);
    let left = std::fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".caretaker"));
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn rows_are_read_fast_enough_to_hash() {
    let folder = folder();
    let source = database(
        &folder,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000) INSERT INTO t SELECT i, i * 7, 'row ' || i FROM n",
    );
    let copied = open(&source);
    let began = Instant::now();
    let mut bytes = 0;
    let mut sum = |row: &caretaker::database::sqlite::RowView<'_>| {
        for value in row.values() {
            bytes += if let Value::Text(text) = value { text.len() } else { 8 };
        }
    };
    assert_eq!(copied.for_each_row("t", &mut sum).unwrap(), 500_000);
    eprintln!("{bytes} bytes of 500,000 rows in {:?}", began.elapsed());
}
