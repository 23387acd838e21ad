//! A PostgreSQL server of a test's own, for tests in which it has to stop, die or misbehave.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::outcome::{Outcome, run};
use super::{Postgres, required, until};

/// A private cluster; stops when dropped.
#[derive(Debug)]
pub struct OwnPostgres {
    server: Postgres,
    folder: tempfile::TempDir,
}

impl std::ops::Deref for OwnPostgres {
    type Target = Postgres;
    fn deref(&self) -> &Postgres {
        &self.server
    }
}

impl OwnPostgres {
    /// Makes and starts a cluster of the same version as the shared one, like it in everything but TLS.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// [`Self::start`] with settings: `["log_statement=all"]`.
    pub fn start_with(settings: &[&str]) -> Self {
        Self::start_from("CARETAKER_TEST_PG_BIN", settings)
    }

    /// One of another major version: 13, 14, 16, 17 or 18. Of the client tools it has psql and pg_basebackup, 16
    /// and 18 also pg_dump and pg_restore.
    pub fn of_major(major: u32) -> Self {
        Self::of_major_with(major, &[])
    }

    /// [`Self::of_major`] with settings.
    pub fn of_major_with(major: u32, settings: &[&str]) -> Self {
        Self::start_from(&format!("CARETAKER_TEST_PG{major}_BIN"), settings)
    }

    fn start_from(bindir: &str, settings: &[&str]) -> Self {
        let own = Self::empty(required(bindir).into());
        let password_file = own.folder.path().join("password");
        let password_file = format!("--pwfile={}", password_file.display());
        let data = own.data();
        own.as_server(
            "initdb",
            &["--no-sync", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--auth-local=trust"],
            &["--auth-host=scram-sha-256", &password_file, "-D", data.to_str().unwrap()],
        )
        .succeeds();
        own.settle(settings);
        own.resume();
        own
    }

    /// A standby of another one, under a name by which the other knows it, with the slot of that name.
    pub fn standby_of(primary: &Self, name: &str) -> Self {
        let own = Self::empty(primary.bindir.clone());
        let primary = format!("host={} port={} user=postgres", primary.socket.display(), primary.port);
        let data = own.data();
        let into = ["-X", "stream", "-c", "fast", "--no-sync", "-D", data.to_str().unwrap()];
        own.as_server("pg_basebackup", &["-d", &primary], &into).succeeds();
        fs::write(data.join("standby.signal"), "").unwrap();
        let conninfo = format!("primary_conninfo = '{primary} application_name={name}'");
        // It tries again at once, and tells the primary soon.
        let soon = ["wal_retrieve_retry_interval = '100ms'", "wal_receiver_status_interval = '1s'"];
        own.settle(&[&conninfo, &format!("primary_slot_name = '{name}'"), soon[0], soon[1]]);
        own.resume();
        own
    }

    /// Switches data checksums on; the server is stopped.
    pub fn enable_checksums(&self) {
        self.as_server("pg_checksums", &["--enable", "--no-sync"], &["-D", self.data().to_str().unwrap()]).succeeds();
    }

    /// The folders of a server that is not made yet.
    fn empty(bindir: PathBuf) -> Self {
        let folder = tempfile::Builder::new().prefix("postgres.").tempdir().unwrap();
        // The server's user, who is not the tests' user when those run as root, has to get in.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let socket = folder.path().join("socket");
        for made in [&socket, &folder.path().join("data")] {
            fs::create_dir(made).unwrap();
            fs::set_permissions(made, fs::Permissions::from_mode(0o700)).unwrap();
        }
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("password"), "open-sesame\n").unwrap();
        let server = Postgres { bindir, socket, port: free_port(), password: "open-sesame".to_owned() };
        if rustix::process::geteuid().is_root() {
            run(Command::new("chown").arg("-R").arg("postgres").arg(folder.path()), b"", minute()).succeeds();
        }
        Self { server, folder }
    }

    /// Writes its settings; a standby's mode is that of its data folder.
    fn settle(&self, settings: &[&str]) {
        let mut lines = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nfsync = off\n",
            self.port,
            self.socket.display()
        );
        for setting in settings {
            lines.push_str(setting);
            lines.push('\n');
        }
        fs::write(self.data().join("postgresql.auto.conf"), lines).unwrap();
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the server logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("data/server.log")).unwrap_or_default()
    }

    /// Starts it again after [`Self::stop`], [`Self::crash`] or [`Self::kill`].
    pub fn resume(&self) {
        let (data, log) = (self.data(), self.data().join("server.log"));
        let outcome =
            self.as_server("pg_ctl", &["-w", "-D", data.to_str().unwrap(), "-l", log.to_str().unwrap()], &["start"]);
        assert!(outcome.code() == 0, "the server does not start: {}{}", outcome.stdout, self.log());
    }

    /// Stops it, ending sessions in an orderly way (`pg_ctl -m fast`).
    pub fn stop(&self) {
        self.ctl_stop("fast").succeeds();
    }

    /// Stops it as a power cut would (`pg_ctl -m immediate`): connections break, recovery follows.
    pub fn crash(&self) {
        self.ctl_stop("immediate").succeeds();
    }

    /// Kills the postmaster; its children notice by themselves.
    pub fn kill(&self) {
        let pid = postmaster(&self.data()).expect("the server is running");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        until("the killed server to be gone", minute(), || {
            rustix::process::test_kill_process(pid).is_err() && !self.accepts()
        });
        // What the dead postmaster left would make the next one doubt.
        let _ = fs::remove_file(self.data().join("postmaster.pid"));
    }

    /// Whether anybody listens on its port.
    fn accepts(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    fn ctl_stop(&self, mode: &str) -> Outcome {
        let data = self.data();
        self.as_server("pg_ctl", &["-w", "-D", data.to_str().unwrap(), "-m", mode], &["stop"])
    }

    /// Runs one of the server's programs as the user it may run as.
    fn as_server(&self, program: &str, arguments: &[&str], more: &[&str]) -> Outcome {
        let path = self.bindir.join(program);
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.args(arguments).args(more).current_dir(self.folder.path());
        // pg_ctl's child keeps the pipes of its parent open unless it is given a log, which it is.
        run(&mut command, b"", minute())
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        if postmaster(&self.data()).is_some() {
            self.ctl_stop("immediate");
        }
    }
}

fn postmaster(data: &Path) -> Option<rustix::process::Pid> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    rustix::process::Pid::from_raw(text.lines().next()?.parse().ok()?)
}

/// A port nobody listens on at the moment.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn minute() -> Duration {
    Duration::from_secs(60)
}
