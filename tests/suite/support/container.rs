//! A small Debian with a real systemd, booted from a folder in about a second.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::outcome::{Outcome, run};
use super::{eventually, patient, required, unique, until};

/// The files of a machine that is switched off: a folder of changes over the image that `tests/install-dependencies`
/// made.
#[derive(Debug)]
pub struct Machine {
    folder: tempfile::TempDir,
}

/// A machine that runs; switched off, roughly, when dropped.
#[derive(Debug)]
pub struct Container {
    machine: Machine,
    nspawn: Child,
    leader: Pid,
}

impl Machine {
    /// A fresh machine.
    ///
    /// # Panics
    /// Where containers cannot be run: that is a failure of the test, not a reason to skip it.
    pub fn new() -> Self {
        assert!(rustix::process::geteuid().is_root(), "booting a container takes root: run `make test` as root");
        let machine = Self { folder: tempfile::Builder::new().prefix("machine.").tempdir().unwrap() };
        for name in ["changes", "work", "root"] {
            fs::create_dir(machine.folder.path().join(name)).unwrap();
        }
        let layers = format!(
            "lowerdir={},upperdir={changes},workdir={work}",
            required("CARETAKER_TEST_SYSTEM"),
            changes = machine.folder.path().join("changes").display(),
            work = machine.folder.path().join("work").display(),
        );
        let mut mount = Command::new("mount");
        mount.args(["-t", "overlay", "overlay", "-o", &layers]).arg(machine.root());
        run(&mut mount, b"", patient()).succeeds();
        machine
    }

    /// Its root directory, as seen from outside.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// A path in it, `/etc/passwd`, as seen from outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root().join(inside.trim_start_matches('/'))
    }

    /// Runs one of the host's programs.
    #[track_caller]
    pub fn host(&self, program: &str, arguments: &[&str]) -> Outcome {
        run(Command::new(program).args(arguments), b"", Duration::from_secs(120))
    }

    /// Boots it and waits until its systemd has started everything.
    pub fn boot(self) -> Container {
        let log = self.folder.path().join("boot.log");
        let output = File::create(&log).unwrap();
        let mut command = Command::new("systemd-nspawn");
        command.args(["--quiet", "--register=no", "--keep-unit", "--private-network", "--console=read-only"]);
        command.arg(format!("--machine={}", unique("caretaker"))).arg("--directory").arg(self.root());
        // Killed with the other things the test started, even if this process no longer can.
        if let Ok(mark) = std::env::var("CARETAKER_TEST_MARK") {
            command.arg(format!("--setenv=CARETAKER_TEST_MARK={mark}"));
        }
        command.arg("--boot").stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let mut nspawn = command.spawn().expect("systemd-nspawn is installed");
        let leader = eventually("systemd-nspawn to start the container", patient(), || {
            let ended = nspawn.try_wait().unwrap();
            assert!(ended.is_none(), "no container can be run here: {}", fs::read_to_string(&log).unwrap());
            first_process(&nspawn)
        });
        let container = Container { machine: self, nspawn, leader };
        until("the container's systemd to be up", Duration::from_secs(60), || {
            let state = container.run(&["systemctl", "is-system-running"]).stdout;
            matches!(state.trim(), "running" | "degraded")
        });
        container
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.root()).status();
    }
}

/// The first process of the container: that child of systemd-nspawn which is number 1 in a PID namespace of its own. Until
/// it is there, there is another child that prepares things.
fn first_process(nspawn: &Child) -> Option<Pid> {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", nspawn.id())).ok()?;
    children.split_whitespace().find_map(|child| {
        let status = fs::read_to_string(format!("/proc/{child}/status")).ok()?;
        let numbers: Vec<&str> =
            status.lines().find_map(|line| line.strip_prefix("NSpid:"))?.split_whitespace().collect();
        let is_first = numbers.len() > 1 && numbers.last() == Some(&"1");
        is_first.then(|| Pid::from_raw(child.parse().ok()?)).flatten()
    })
}

impl Container {
    /// A path in it as seen from outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.machine.path(inside)
    }

    /// Runs a command in it as root.
    pub fn run(&self, command: &[&str]) -> Outcome {
        let leader = self.leader.as_raw_nonzero().to_string();
        let mut nsenter = Command::new("nsenter");
        nsenter.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
        nsenter.args(["--target", &leader, "--all", "--"]).args(command);
        run(&mut nsenter, b"", Duration::from_secs(200))
    }

    /// One of the host's programs, in the container's network: a server that the container reaches on 127.0.0.1.
    pub fn beside(&self, program: &Path) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["--target", &self.leader.as_raw_nonzero().to_string(), "--net", "--"]).arg(program);
        nsenter
    }

    /// A property of a unit: `ActiveState`.
    pub fn property(&self, unit: &str, property: &str) -> String {
        let said = self.run(&["systemctl", "show", "--value", "--property", property, unit]).succeeds();
        said.stdout.trim().to_owned()
    }

    /// What a unit has logged, one JSON object per entry, oldest first.
    pub fn journal(&self, unit: &str) -> Vec<serde_json::Value> {
        let said = self.run(&["journalctl", "--no-pager", "--all", "--output=json", "--unit", unit]).succeeds();
        said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The same as text, for a person who looks at a failed test.
    pub fn journal_text(&self) -> String {
        self.run(&["journalctl", "--no-pager", "--lines=200"]).stdout
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the container's journal\n{}", self.journal_text());
        }
        // The first process of a PID namespace takes all others with it.
        let _ = rustix::process::kill_process(self.leader, Signal::KILL);
        let _ = super::outcome::wait(&mut self.nspawn, patient());
    }
}

/// The numeric user and group of a user in a machine's `/etc/passwd`.
pub fn user_of(root: &Path, user: &str) -> (u32, u32) {
    let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap();
    let line = passwd.lines().find(|line| line.starts_with(&format!("{user}:"))).expect("the user exists");
    let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
    (fields.next().unwrap(), fields.next().unwrap())
}
