//! pg_dump as our child.

use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use caretaker::database::postgres::{
    ControlConnection, DumpEnd, DumpOptions, DumpProcess, Globals, Postgres, ProcessError, ProcessErrorKind as Kind,
    Program, Tool, Wanted, find_in, globals,
};
use caretaker::fault::Fault;

use super::support::{Server, env, fake, psql, server, tool, unique};

/// A dump to its end: its bytes and how it ended.
async fn dump_with(
    server: &Server,
    tool: &Tool,
    postgres: &Postgres,
    options: &DumpOptions,
) -> (Vec<u8>, Result<DumpEnd, ProcessError>) {
    let mut reserved = postgres.reserve(2).await.unwrap();
    let connection = postgres.connect_with(reserved.take().unwrap(), "test").await.unwrap();
    let endpoint = connection.endpoint();
    let permit = reserved.take().unwrap();
    let mut dump = DumpProcess::start(tool, postgres, endpoint, permit, options, "run", server.tmp()).await.unwrap();
    let mut stdout = dump.take_stdout().unwrap();
    let reader = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let end = dump.wait().await;
    (reader.await.unwrap(), end)
}

pub async fn dump(server: &Server, postgres: &Postgres) -> Vec<u8> {
    let (bytes, end) = dump_with(server, &tool(Program::PgDump).await, postgres, &DumpOptions::default()).await;
    end.unwrap();
    bytes
}

/// A dump that waits for a table's lock: the process, its control connection, and the locking psql.
async fn waiting_dump(
    server: &Server,
    postgres: &Postgres,
    run: &str,
) -> (DumpProcess, ControlConnection, std::process::Child) {
    let locker = std::process::Command::new(PathBuf::from(env("CARETAKER_TEST_PG_BIN")).join("psql"))
        .args(["-Xq", "-h", "127.0.0.1", "-U", "postgres", "-p", &super::support::port().to_string()])
        .args(["-c", "BEGIN; LOCK TABLE t; SELECT pg_sleep(60)"])
        .env("PGDATABASE", &postgres.target().dbname)
        .env("PGPASSWORD", env("CARETAKER_TEST_PG_PASSWORD"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("t is locked", || {
        psql("postgres", "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted") != "0\n"
    });
    let mut control = ControlConnection::lock(postgres.connect("control").await.unwrap(), "backup").await.unwrap();
    let snapshot = control.export_snapshot().await.unwrap();
    let permit = postgres.reserve(1).await.unwrap().take().unwrap();
    let options = DumpOptions { snapshot: Some(snapshot.id), lock_wait_timeout: None };
    let tool = tool(Program::PgDump).await;
    let dump =
        DumpProcess::start(&tool, postgres, control.endpoint(), permit, &options, run, server.tmp()).await.unwrap();
    eventually("pg_dump waits", || backends(run) == 1);
    (dump, control, locker)
}

fn backends(run: &str) -> usize {
    let sql = format!(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'caretaker {run}' AND wait_event_type = 'Lock'"
    );
    psql("postgres", &sql).lines().count()
}

fn eventually(what: &str, is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(10), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_never_in_argv_or_environment_and_cancelling_ends_child_and_backend() {
    let server = server();
    let postgres = server.database(&unique("cancel"), "CREATE TABLE t ()").await;
    let run = unique("run");
    let (mut dump, mut control, mut locker) = waiting_dump(&server, &postgres, &run).await;

    let pid = dump.id().unwrap();
    for file in ["cmdline", "environ"] {
        let text = String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/{file}")).unwrap()).into_owned();
        assert!(!text.contains(&env("CARETAKER_TEST_PG_PASSWORD")), "{file}: {text}");
        assert!(file == "cmdline" || text.contains("PGTZ=UTC"));
    }
    let began = Instant::now();
    dump.cancel(Some(&mut control)).await;
    assert!(began.elapsed() < Duration::from_secs(8));
    assert!(!PathBuf::from(format!("/proc/{pid}")).exists());
    eventually("the backend is gone", || backends(&run) == 0);
    assert!(dump.wait().await.is_err());
    drop(dump);
    let left: Vec<_> = std::fs::read_dir(server.tmp()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["password"], "the passfile is gone");
    let _ = locker.kill();
    locker.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_pg_dump_is_an_error_that_may_be_retried() {
    let server = server();
    let postgres = server.database(&unique("kill"), "CREATE TABLE t ()").await;
    let (mut dump, _control, mut locker) = waiting_dump(&server, &postgres, &unique("run")).await;
    std::process::Command::new("kill").args(["-KILL", &dump.id().unwrap().to_string()]).status().unwrap();
    let error = dump.wait().await.unwrap_err();
    assert_eq!(error.kind, Kind::Killed);
    assert!(error.retryable());
    let _ = locker.kill();
    locker.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_dump_does_not_go_on() {
    let server = server();
    let postgres = server.database(&unique("dropped"), "CREATE TABLE t ()").await;
    let run = unique("run");
    let (dump, _control, mut locker) = waiting_dump(&server, &postgres, &run).await;
    drop(dump);
    eventually("the backend is gone", || backends(&run) == 0);
    let _ = locker.kill();
    locker.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_backend_is_a_lost_connection() {
    let server = server();
    let postgres = server.database(&unique("ended"), "CREATE TABLE t ()").await;
    let run = unique("run");
    let (mut dump, mut control, mut locker) = waiting_dump(&server, &postgres, &run).await;
    assert_eq!(control.terminate(&format!("caretaker {run}")).await.unwrap(), 1);
    let error = dump.wait().await.unwrap_err();
    assert!(matches!(error.kind, Kind::ConnectionLost(_)) && error.retryable(), "{error:?}");
    let _ = locker.kill();
    locker.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_is_of_the_exported_snapshot() {
    let server = server();
    let name = unique("snapshot");
    let postgres = server.database(&name, "CREATE TABLE t (v text); INSERT INTO t VALUES ('before')").await;
    let before = jiff::Timestamp::now();
    let mut control = ControlConnection::lock(postgres.connect("control").await.unwrap(), "backup").await.unwrap();
    let snapshot = control.export_snapshot().await.unwrap();
    assert!((snapshot.taken_at.as_second() - before.as_second()).abs() < 5);
    psql(&name, "INSERT INTO t VALUES ('after')");
    let options = DumpOptions { snapshot: Some(snapshot.id), lock_wait_timeout: Some(Duration::from_secs(5)) };
    let (bytes, end) = dump_with(&server, &tool(Program::PgDump).await, &postgres, &options).await;
    end.unwrap();
    assert!(memchr::memmem::find(&bytes, b"before\n").is_some() && memchr::memmem::find(&bytes, b"after\n").is_none());
    control.release_snapshot().await.unwrap();
    control.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_we_may_not_read_names_the_grant() {
    let mut server = server();
    let (name, role) = (unique("denied"), unique("reader"));
    server.database(&name, "CREATE TABLE secret (v text)").await;
    psql(&name, &format!("CREATE ROLE {role} LOGIN PASSWORD 'open-sesame'"));
    server.target.user = role;
    let postgres = server.handle().with_database(&name);
    let (_, end) = dump_with(&server, &tool(Program::PgDump).await, &postgres, &DumpOptions::default()).await;
    let error = end.unwrap_err();
    assert!(matches!(&error.kind, Kind::PermissionDenied(text) if text.contains("table secret")), "{error}");
    assert!(!error.retryable() && error.hint().unwrap().contains("pg_read_all_data"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_status_decides_and_not_what_is_said() {
    let server = server();
    let postgres = server.handle();
    let folder = server.tmp().join("bin");
    let run = async |script: &str| {
        let path = fake(&folder, "pg_dump", "99.1", script);
        let tool = Tool { program: Program::PgDump, path, version: String::new(), major: 99 };
        dump_with(&server, &tool, &postgres, &DumpOptions::default()).await
    };
    let (bytes, end) = run("echo data; echo 'pg_dump: warning: odd' >&2; exit 0").await;
    assert_eq!(
        (bytes.as_slice(), end.unwrap().warnings),
        (b"data\n".as_slice(), vec!["pg_dump: warning: odd".to_owned()])
    );
    let (_, end) = run("echo data; echo 'pg_dump: error: no more' >&2; exit 1").await;
    let error = end.unwrap_err();
    assert_eq!(error.kind, Kind::Other("no more".to_owned()));
    assert!(!error.retryable());
    // A flood is read to its end and kept within bounds.
    let (_, end) = run("yes 'a line of forty bytes, over and over ....' | head -c 5000000 >&2; exit 3").await;
    let error = end.unwrap_err();
    assert!(error.stderr.iter().map(String::len).sum::<usize>() <= 64 * 1024 && error.stderr[0].contains("left out"));
}

#[tokio::test]
async fn a_client_older_than_the_server_is_never_taken_and_every_place_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let places: Vec<PathBuf> = ["old", "older", "none"].iter().map(|name| folder.path().join(name)).collect();
    fake(&places[0], "pg_dump", "14.9 (Debian 14.9-1)", "");
    fake(&places[1], "pg_dump", "9.6.24", "");
    let error = find_in(Program::PgDump, Wanted::to_dump(15), &places, true).await.unwrap_err();
    let text = error.to_string();
    for part in ["15 or newer", "old/pg_dump: version 14", "older/pg_dump: version 9", "none/pg_dump: not there"] {
        assert!(text.contains(part), "{text}");
    }
    fake(&places[2], "pg_dump", "17.2", "");
    let tool = find_in(Program::PgDump, Wanted::to_dump(15), &places, true).await.unwrap();
    assert_eq!((tool.major, tool.version.as_str()), (17, "pg_dump (PostgreSQL) 17.2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_dumped_without_passwords_or_it_is_said_why_not() {
    let server = server();
    let role = unique("some_role");
    // A name that libpq would take for a connection string.
    let name = format!("{} host=elsewhere", unique("globals"));
    let postgres = server.database(&name, &format!("CREATE ROLE {role} LOGIN PASSWORD 'sesame'")).await;
    let tool = tool(Program::PgDumpall).await;
    let read = async |postgres: &Postgres| {
        let mut reserved = postgres.reserve(2).await.unwrap();
        let connection = postgres.connect_with(reserved.take().unwrap(), "test").await.unwrap();
        globals(&tool, postgres, connection.endpoint(), reserved.take().unwrap(), "run", server.tmp()).await
    };
    let Globals::Sql(sql) = read(&postgres).await else { panic!("no roles") };
    let sql = String::from_utf8(sql).unwrap();
    assert!(sql.contains(&format!("CREATE ROLE {role}")) && !sql.contains("SCRAM"), "{sql}");

    let path = fake(
        &server.tmp().join("bin"),
        "pg_dumpall",
        "99",
        "echo 'pg_dumpall: error: permission denied for x' >&2; exit 1",
    );
    let fake = Tool { program: Program::PgDumpall, path, version: String::new(), major: 99 };
    let mut reserved = postgres.reserve(2).await.unwrap();
    let connection = postgres.connect_with(reserved.take().unwrap(), "test").await.unwrap();
    let none = globals(&fake, &postgres, connection.endpoint(), reserved.take().unwrap(), "run", server.tmp()).await;
    assert!(matches!(&none, Globals::Unavailable(why) if why.contains("permission denied for x")), "{none:?}");
}
