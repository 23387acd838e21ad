//! tls_certificate

use std::path::PathBuf;
use std::process::Command;

use jiff::SignedDuration;

use super::watch::{Says as _, Watch};
use crate::support::{OwnPostgres, Postgres, patient, run};

/// A new certificate of its own, that lasts so many days.
fn certify(server: &OwnPostgres, days: u32) {
    let script = r#"set -e; cd "$1"
        openssl req -x509 -newkey rsa:2048 -nodes -days "$2" -subj "/CN=db of $2 days" -keyout server.key -out server.crt
        chmod 600 server.key; [ "$(id -u)" != 0 ] || chown postgres server.key server.crt"#;
    let data: PathBuf = server.data();
    run(Command::new("bash").args(["-c", script, "certify"]).arg(data).arg(days.to_string()), b"", patient())
        .succeeds();
}

#[test]
fn a_certificate_that_ends_is_seen_to_come_until_there_is_a_new_one() {
    let server = OwnPostgres::start();
    let mut watch = Watch::new("tls_certificate", &server.url("postgres"), "");
    watch.not_applicable().says("does not speak TLS");
    certify(&server, 30);
    server.sql("postgres", "ALTER SYSTEM SET ssl = on");
    server.sql("postgres", "SELECT pg_reload_conf()");
    crate::support::until("TLS to be on", patient(), || server.sql("postgres", "SHOW ssl") == "on\n");
    watch.ok().says("CN=db of 30 days ends in 29d").says("issued by CN=db of 30 days");
    watch.pass(SignedDuration::from_hours(24 * 15));
    watch.warns().says("pg_reload_conf");
    watch.pass(SignedDuration::from_hours(24 * 10));
    watch.critical();
    watch.pass(SignedDuration::from_hours(24 * 10));
    watch.critical().says("ended 5d");
    certify(&server, 90);
    server.sql("postgres", "SELECT pg_reload_conf()");
    watch.comes_to(caretaker::state::Status::Ok).says("CN=db of 90 days ends in 54d");
    assert!(!server.log().contains("startup packet"), "looking leaves a complaint in the server's log");
}

#[test]
fn a_socket_and_a_connection_without_tls_have_no_certificate() {
    let postgres = Postgres::shared();
    Watch::new("tls_certificate", &postgres.socket_url("postgres"), "").not_applicable().says("socket");
    let plain = format!("{}?sslmode=disable", postgres.url("postgres"));
    Watch::new("tls_certificate", &plain, "").not_applicable().says("without TLS");
    Watch::new("tls_certificate", &postgres.url("postgres"), "warning = 1\ncritical = 0").ok().says("issued by");
}
