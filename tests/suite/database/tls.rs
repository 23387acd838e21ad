//! A server that speaks TLS only, with a certificate of its own authority.

use std::path::PathBuf;
use std::process::Command;

use caretaker::config::SslMode;
use caretaker::database::postgres::DatabaseErrorKind as Kind;
use caretaker::fault::Fault;

use super::dump::dump;
use super::support::{Server, env, server};

/// Starts the server below a folder, for as long as this lives.
struct TlsServer {
    folder: tempfile::TempDir,
    port: u16,
}

const START: &str = r#"
set -e
cd "$1"; chmod 755 .
as=; [ "$(id -u)" = 0 ] && as='setpriv --reuid=postgres --regid=postgres --clear-groups'
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.crt 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr 2>/dev/null
printf 'subjectAltName=DNS:localhost\n' >ext
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.crt 2>/dev/null
mkdir pg; [ -z "$as" ] || chown -R postgres .
$as "$3/initdb" --no-sync -D pg -U postgres --auth=trust >/dev/null
cp server.key server.crt pg/; chmod 600 pg/server.key; [ -z "$as" ] || chown postgres pg/server.*
echo 'hostssl all all 127.0.0.1/32 trust' >pg/pg_hba.conf
$as "$3/pg_ctl" -D "$1/pg" -w -l "$1/pg/log" -o "-p $2 -k $1 -c listen_addresses=127.0.0.1 -c fsync=off -c ssl=on" start >/dev/null
chmod -R a+rX .
"#;

impl TlsServer {
    fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let started = Self { folder: tempfile::tempdir().unwrap(), port };
        let status = Command::new("bash")
            .args(["-c", START, "start"])
            .args([started.folder.path().to_str().unwrap(), &port.to_string(), &env("CARETAKER_TEST_PG_BIN")])
            .status()
            .unwrap();
        assert!(status.success());
        started
    }

    fn target(&self, host: &str, sslmode: SslMode, with_root: bool) -> Server {
        let mut server = server();
        server.target.hosts = vec![(host.to_owned(), self.port)];
        server.target.password = None;
        server.target.sslmode = sslmode;
        server.target.sslrootcert = with_root.then(|| self.folder.path().join("ca.crt"));
        server
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let pid = std::fs::read_to_string(self.folder.path().join("pg/postmaster.pid")).unwrap_or_default();
        if let Some(pid) = pid.lines().next() {
            let _ = Command::new("kill").args(["-QUIT", pid]).status();
        }
        let gone = |path: &PathBuf| !path.exists();
        for _ in 0..100 {
            if gone(&self.folder.path().join("pg/postmaster.pid")) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_connections_and_pg_dump_trust_and_refuse_alike() {
    let tls = TlsServer::start();
    // `allow` begins without TLS, is turned away, and goes on with it, as in libpq.
    for (host, mode, root) in [
        ("localhost", SslMode::VerifyFull, true),
        ("127.0.0.1", SslMode::VerifyCa, true),
        ("127.0.0.1", SslMode::Require, false),
        ("127.0.0.1", SslMode::Prefer, false),
        ("127.0.0.1", SslMode::Allow, false),
    ] {
        let server = tls.target(host, mode, root);
        assert!(!dump(&server, &server.handle()).await.is_empty(), "{mode:?}");
    }
    for (host, mode, root) in [("127.0.0.1", SslMode::VerifyFull, true), ("localhost", SslMode::VerifyCa, false)] {
        let error = tls.target(host, mode, root).handle().connect("test").await.map(drop).unwrap_err();
        assert!(matches!(error.kind, Kind::Tls(_)) && !error.retryable(), "{mode:?}: {error:?}");
    }
    let error = tls.target("127.0.0.1", SslMode::Disable, false).handle().connect("test").await.map(drop).unwrap_err();
    assert!(matches!(error.kind, Kind::NotAllowed(_)), "{error:?}");
}
