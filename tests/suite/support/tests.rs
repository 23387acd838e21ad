//! The support code itself: the servers are there and do what tests rely on.

use super::*;

#[test]
fn the_shared_postgres_gives_fresh_databases_over_socket_tcp_and_tls() {
    let database = Postgres::shared().database();
    database.sql("CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2)");
    assert_eq!(database.sql("SELECT count(*) FROM t"), "2\n");

    let ask = |url: &str| {
        let mut command = database.server().program("psql");
        command.args(["-XAtq", "-d", url, "-c", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"]);
        run(&mut command, b"", patient())
    };
    let tls = Postgres::tls();
    let verified =
        |ca: &std::path::Path| format!("{}?sslmode=verify-full&sslrootcert={}", database.url(), ca.display());
    assert_eq!(ask(&format!("{}?sslmode=disable", database.url())).succeeds().stdout, "f\n");
    assert_eq!(ask(&verified(&tls.ca)).succeeds().stdout, "t\n");
    assert!(ask(&verified(&tls.stranger_ca)).stderr.contains("certificate verify failed"));
}

#[test]
fn an_own_postgres_can_be_stopped_crashed_killed_and_resumed() {
    let own = OwnPostgres::start();
    own.sql("postgres", "CREATE TABLE t (i int); INSERT INTO t VALUES (1)");
    own.stop();
    assert_ne!(own.try_sql("postgres", "SELECT 1").code(), 0);
    own.resume();
    own.crash();
    own.resume();
    own.kill();
    own.resume();
    assert_eq!(own.sql("postgres", "SELECT * FROM t"), "1\n");
}

#[test]
fn the_shared_s3_gives_fresh_buckets() {
    let bucket = S3::shared().bucket();
    assert!(bucket.keys().is_empty());
    bucket.put("a/b", b"hello");
    assert_eq!(bucket.list(), [("a/b".to_owned(), 5)]);
    assert_eq!(bucket.get("a/b"), b"hello");
    assert!(bucket.unfinished_uploads().is_empty());
    bucket.delete("a/b");
    assert!(bucket.keys().is_empty());
}

#[test]
fn a_sandbox_makes_sqlite_databases() {
    let sandbox = Sandbox::new();
    let path = sandbox.sqlite("notes.db", 1000);
    assert_eq!(stock::sqlite(&path, "SELECT count(*) FROM note;"), "1000\n");
}
