//! Reaching a server, and saying well why not.

use std::time::Duration;

use caretaker::config::SecretSource;
use caretaker::database::postgres::{ControlConnection, DatabaseError, DatabaseErrorKind as Kind, LockError, Postgres};
use caretaker::fault::Fault;

use super::support::{env, port, psql, server, unique};

async fn refusal(postgres: &Postgres) -> DatabaseError {
    postgres.connect("test").await.map(drop).expect_err("this should be refused")
}

#[tokio::test]
async fn a_wrong_password_is_named_not_shown_and_not_tried_again() {
    let server = server();
    std::fs::write(server.tmp().join("password"), "hunter2\n").unwrap();
    let error = refusal(&server.handle()).await;
    assert!(matches!(error.kind, Kind::AuthenticationFailed(_)), "{error:?}");
    assert!(!error.retryable() && error.hint().unwrap().contains("password_file"));
    assert!(!format!("{error:?} {error}").contains("hunter2"));
}

#[tokio::test]
async fn a_missing_password_file_is_named() {
    let mut server = server();
    server.target.password = Some(SecretSource::File("/nonexistent/password".into()));
    let error = refusal(&server.handle()).await;
    assert!(caretaker::fault::chain(&error).contains("/nonexistent/password"), "{error}");
}

#[tokio::test]
async fn a_rotated_password_is_read_again() {
    let server = server();
    let postgres = server.handle();
    postgres.connect("test").await.unwrap();
    std::fs::write(server.tmp().join("password"), "wrong").unwrap();
    refusal(&postgres).await;
}

#[tokio::test]
async fn a_missing_database_is_named() {
    let error = refusal(&server().handle().with_database("nowhere")).await;
    assert!(matches!(&error.kind, Kind::NoSuchDatabase(text) if text.contains("nowhere")), "{error}");
    assert!(!error.retryable());
}

#[tokio::test]
async fn a_role_without_login_is_not_allowed() {
    let mut server = server();
    server.target.user = unique("nologin");
    psql("postgres", &format!("CREATE ROLE {} PASSWORD 'open-sesame'", server.target.user));
    let error = refusal(&server.handle()).await;
    assert!(matches!(error.kind, Kind::NotAllowed(_)) && error.hint().unwrap().contains("pg_hba.conf"), "{error:?}");
}

#[tokio::test]
async fn too_many_connections_may_cure_itself() {
    let mut server = server();
    server.target.user = unique("full");
    let role = &server.target.user;
    psql("postgres", &format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 0 PASSWORD 'open-sesame'"));
    let error = refusal(&server.handle()).await;
    assert!(matches!(error.kind, Kind::TooManyConnections(_)) && error.retryable(), "{error:?}");
}

#[tokio::test]
async fn a_refused_connection_names_the_host_and_is_tried_again() {
    let mut server = server();
    server.target.hosts = vec![("127.0.0.1".to_owned(), 1)];
    let error = refusal(&server.handle()).await;
    assert!(matches!(&error.kind, Kind::Unreachable(text) if text.contains("127.0.0.1:1")), "{error}");
    assert!(error.retryable());
}

#[tokio::test]
async fn the_second_host_serves_when_the_first_is_dead() {
    let mut server = server();
    server.target.hosts = vec![("127.0.0.1".to_owned(), 1), ("127.0.0.1".to_owned(), port())];
    let connection = server.handle().connect("test").await.unwrap();
    assert_eq!(connection.endpoint().port, port());
}

#[tokio::test]
async fn a_server_that_does_not_answer_costs_one_connect_timeout() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut server = server();
    server.target.hosts = vec![("127.0.0.1".to_owned(), silent.local_addr().unwrap().port())];
    server.target.connect_timeout = 1;
    let error = refusal(&server.handle()).await;
    assert!(matches!(&error.kind, Kind::Unreachable(text) if text.contains("no answer within 1 s")), "{error}");
}

#[tokio::test]
async fn demanded_tls_is_not_given_up() {
    let mut server = server();
    server.target.sslmode = caretaker::config::SslMode::VerifyFull;
    let error = refusal(&server.handle()).await;
    assert!(matches!(error.kind, Kind::Tls(_)) && !error.retryable(), "{error:?}");
}

#[tokio::test]
async fn a_missing_certificate_is_named() {
    let mut server = server();
    server.target.sslrootcert = Some("/nonexistent/ca.pem".into());
    let error = refusal(&server.handle()).await;
    assert!(matches!(&error.kind, Kind::Tls(text) if text.contains("/nonexistent/ca.pem")), "{error}");
}

#[tokio::test]
async fn a_unix_socket_and_server_options_work() {
    let mut server = server();
    server.target.hosts = vec![(env("CARETAKER_TEST_PG_SOCKET"), port())];
    server.target.password = None;
    server.target.options = Some("-c bytea_output=escape -c work_mem=5MB".to_owned());
    let mut connection = server.handle().connect("test").await.unwrap();
    let identity = connection.identify().await.unwrap();
    assert_eq!(identity.database, "postgres");
    assert_eq!(identity.major, identity.version_num / 10_000);
    assert!(identity.superuser && !identity.in_recovery && identity.system_identifier.is_some());
    assert_eq!(identity.settings["bytea_output"], "escape");
    assert_eq!(identity.settings["client_encoding"], "UTF8");
}

#[tokio::test]
async fn no_more_connections_are_opened_than_allowed() {
    let server = server();
    let postgres = Postgres::new(&server.target, "app", 2);
    let first = postgres.connect("test").await.unwrap();
    let _second = postgres.connect("test").await.unwrap();
    let third = postgres.connect("test");
    assert!(tokio::time::timeout(Duration::from_millis(300), third).await.is_err());
    drop(first);
    postgres.connect("test").await.unwrap();
    assert!(postgres.reserve(3).await.is_err());
}

#[tokio::test]
async fn two_caretakers_of_one_database_are_kept_apart() {
    let server = server();
    let postgres = server.database(&unique("lock"), "").await;
    let lock = async |purpose| ControlConnection::lock(postgres.connect("run-7").await.unwrap(), purpose).await;
    let first = lock("backup").await.unwrap();
    let Err(LockError::Busy { holder, .. }) = lock("backup").await else { panic!("not busy") };
    assert_eq!(holder.application_name.as_deref(), Some("caretaker run-7"));
    assert!(holder.pid > 0 && holder.client_addr.as_deref() == Some("127.0.0.1"), "{holder}");
    lock("other").await.unwrap();
    first.close().await;
    lock("backup").await.unwrap();
}
