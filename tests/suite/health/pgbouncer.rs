//! pgbouncer

use std::process::{Child, Command, Stdio};

use caretaker::state::Status;

use super::watch::{Says as _, Session, Watch};
use crate::support::{Database, Postgres, Sandbox, patient, until};

/// A PgBouncer with one server connection for a database; ends when dropped.
struct Bouncer {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Bouncer {
    fn before(database: &Database) -> Self {
        let folder = tempfile::Builder::new().prefix("bouncer.").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = database.server();
        let settings = format!(
            "[databases]\nshop = host={} port={} dbname={} user=postgres pool_size=1\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = md5\nauth_file = {}/users\n\
             stats_users = watcher\npool_mode = transaction\n",
            server.socket.display(),
            server.port,
            database.name,
            folder.path().display()
        );
        std::fs::write(folder.path().join("users"), "\"postgres\" \"pw\"\n\"watcher\" \"open-sesame\"\n").unwrap();
        std::fs::write(folder.path().join("settings"), settings).unwrap();
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "/usr/sbin/pgbouncer"]);
            command
        } else {
            Command::new("/usr/sbin/pgbouncer")
        };
        let child = command.arg("-q").arg(folder.path().join("settings")).stderr(Stdio::null()).spawn().unwrap();
        until("PgBouncer to listen", patient(), || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { child, port, _folder: folder }
    }

    fn url(&self) -> String {
        format!("postgres://postgres:pw@127.0.0.1:{}/shop", self.port)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_client_that_waits_for_a_connection_is_seen_until_it_has_one() {
    let database = Postgres::shared().database();
    let bouncer = Bouncer::before(&database);
    let bindir = database.server().bindir.clone();
    let sandbox = Sandbox::new();
    let password = sandbox.secret("password", "open-sesame\n");
    let console = format!(
        "pgbouncer = {{ url = 'postgres://watcher@127.0.0.1:{}/pgbouncer', password_file = '{}' }}",
        bouncer.port,
        password.display()
    );
    let watch = Watch::with(sandbox, "pgbouncer", &database.url(), "warning = '1s'\ncritical = '3s'", &console, "");
    watch.ok().says("no client waits");
    let holder = Session::open(&bouncer.url(), &bindir, "BEGIN; SELECT 1");
    let (url, waiting_bindir) = (bouncer.url(), bindir.clone());
    let waiting = std::thread::spawn(move || drop(Session::open(&url, &waiting_bindir, "SELECT 1")));
    watch.comes_to(Status::Warning).says("1 clients wait").says("shop as postgres");
    watch.comes_to(Status::Critical).says("default_pool_size");
    drop(holder);
    waiting.join().unwrap();
    watch.ok();
    drop(bouncer);
    watch.sees(Status::Unknown);
}

#[test]
fn without_a_console_in_the_configuration_there_is_nothing_to_ask() {
    Watch::new("pgbouncer", &Postgres::shared().url("postgres"), "").not_applicable().says("[health.app]");
}
