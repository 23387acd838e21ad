//! A folder in which the binary runs as on a machine of its own: configuration, state, a local store.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::outcome::{Outcome, run};
use super::{Daemon, stock};

/// A temporary folder with a configuration; removed when dropped.
#[derive(Debug)]
pub struct Sandbox {
    folder: tempfile::TempDir,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// An empty sandbox with a local store called `local` and no databases.
    pub fn new() -> Self {
        let sandbox = Self { folder: tempfile::Builder::new().prefix("sandbox.").tempdir().unwrap() };
        for name in ["home", "state", "store"] {
            fs::create_dir(sandbox.path(name)).unwrap();
        }
        sandbox.configure("");
        sandbox
    }

    /// A path in the sandbox; the empty one is the sandbox itself.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// The folder of the store `local`.
    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.path("caretaker.toml")
    }

    /// Writes the configuration: `state_dir` in `[daemon]` and `[stores.local]` are there already.
    pub fn configure(&self, tables: &str) {
        self.configure_daemon("", tables);
    }

    /// [`Self::configure`] with further lines for `[daemon]`.
    pub fn configure_daemon(&self, daemon: &str, tables: &str) {
        self.configure_exactly(&format!(
            "[daemon]\nstate_dir = '{}'\n{daemon}\n\n[stores.local]\nkind = 'local'\npath = '{}'\n\n{tables}",
            self.state().display(),
            self.store().display()
        ));
    }

    /// Writes the configuration as it is given.
    pub fn configure_exactly(&self, text: &str) {
        fs::write(self.config(), text).unwrap();
    }

    /// Writes a file that only its owner may read: a password, a key. Gives its path.
    pub fn secret(&self, name: &str, content: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Makes a SQLite database with a table `note (id, title, body, made)` of so many rows. Gives its path.
    pub fn sqlite(&self, name: &str, rows: u32) -> PathBuf {
        let path = self.path(name);
        stock::sqlite(
            &path,
            &format!(
                "PRAGMA journal_mode = WAL; \
                 CREATE TABLE note (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT, made TEXT NOT NULL); \
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
                 INSERT INTO note SELECT i, 'note ' || i, hex(randomblob(100)), datetime(i * 60, 'unixepoch') \
                 FROM n WHERE {rows} > 0;"
            ),
        );
        path
    }

    /// Runs `caretaker --config … ARGUMENTS` to its end with a clean environment and a deadline of two minutes.
    #[track_caller]
    pub fn caretaker(&self, arguments: &[&str]) -> Outcome {
        run(self.command().args(arguments), b"", Duration::from_secs(120))
    }

    /// The command that [`Self::caretaker`] runs, to be changed before it runs.
    pub fn command(&self) -> Command {
        let mut command = self.bare_command();
        command.arg("--config").arg(self.config());
        command
    }

    /// The binary without `--config`.
    pub fn bare_command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caretaker"));
        self.clean(&mut command);
        command
    }

    /// A clean environment: nothing of the developer's reaches the program.
    pub fn clean(&self, command: &mut Command) {
        command.env_clear().current_dir(self.folder.path());
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", self.path("home")).env("LC_ALL", "C.UTF-8").env("TERM", "dumb");
        // By the mark `tests/with-servers` finds what outlived its test.
        for kept in ["TMPDIR", "CARETAKER_TEST_MARK"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
    }

    /// Starts `caretaker daemon` and waits until it says it is ready.
    #[track_caller]
    pub fn daemon(&self) -> Daemon {
        let mut daemon = self.daemon_starting();
        daemon.wait_ready();
        daemon
    }

    /// Starts `caretaker daemon` and does not wait.
    pub fn daemon_starting(&self) -> Daemon {
        Daemon::start(self, self.command())
    }

    /// [`Self::daemon`] with a command that was changed before: other variables, a wrapper.
    #[track_caller]
    pub fn daemon_with(&self, change: impl FnOnce(&mut Command)) -> Daemon {
        let mut command = self.command();
        change(&mut command);
        let mut daemon = Daemon::start(self, command);
        daemon.wait_ready();
        daemon
    }

    /// The folders of the finished backups of a database in the store `local`: those with a manifest, oldest first.
    pub fn backups(&self, database: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.store().join(database)) else { return Vec::new() };
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        found.retain(|folder| folder.join("manifest.json").is_file());
        found.sort();
        found
    }

    /// The manifest of a backup's folder.
    #[track_caller]
    pub fn manifest(folder: &Path) -> serde_json::Value {
        let text = fs::read_to_string(folder.join("manifest.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The state of each run, oldest first: `["failed", "succeeded"]`.
    #[track_caller]
    pub fn runs(&self) -> Vec<String> {
        self.state_lines("SELECT state FROM runs ORDER BY id;")
    }

    /// The lines that [`Self::state_sql`] gives.
    #[track_caller]
    pub fn state_lines(&self, sql: &str) -> Vec<String> {
        self.state_sql(sql).lines().map(str::to_owned).collect()
    }

    /// Asks the state store of this sandbox with the `sqlite3` program.
    #[track_caller]
    pub fn state_sql(&self, sql: &str) -> String {
        stock::sqlite(&self.state().join("state.db"), sql)
    }
}
