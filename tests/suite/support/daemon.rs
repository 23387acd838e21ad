//! `caretaker daemon` as systemd runs it: with a notification socket, its log on standard error.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::outcome::wait;
use super::{Sandbox, eventually, unique};

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
    notifications: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    /// Starts `COMMAND daemon`.
    pub(super) fn start(sandbox: &Sandbox, mut command: Command) -> Self {
        let name = unique("daemon");
        let (socket_path, log) = (sandbox.path(format!("{name}.notify")), sandbox.path(format!("{name}.log")));
        let socket = UnixDatagram::bind(&socket_path).unwrap();
        // As systemd's own: a daemon that becomes another user still reaches it.
        fs::set_permissions(&socket_path, fs::Permissions::from_mode(0o777)).unwrap();
        let output = File::create(&log).unwrap();
        command.arg("daemon").env("NOTIFY_SOCKET", &socket_path).stdin(Stdio::null());
        let child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        let notifications = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&notifications);
        // Ends with the process of the tests: a datagram socket has no end of file.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                heard.lock().unwrap().extend(text.lines().map(str::to_owned));
            }
        });
        Self { child, log, notifications }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// What it has told systemd so far: `READY=1`, `STATUS=…`, one assignment each.
    pub fn notifications(&self) -> Vec<String> {
        self.notifications.lock().unwrap().clone()
    }

    /// Waits for `READY=1`.
    #[track_caller]
    pub fn wait_ready(&mut self) {
        self.wait_notified("READY=1", 1);
    }

    /// Waits until a notification has come so many times.
    #[track_caller]
    pub fn wait_notified(&mut self, assignment: &str, times: usize) {
        self.wait(&format!("{assignment} from the daemon"), |daemon| {
            daemon.notifications().iter().filter(|said| *said == assignment).count() >= times
        });
    }

    /// Waits until its log holds a text.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        self.wait(&format!("{text:?} in the daemon's log"), |daemon| daemon.log().contains(text));
    }

    #[track_caller]
    fn wait(&mut self, what: &str, mut look: impl FnMut(&Self) -> bool) {
        let found = eventually(what, Duration::from_secs(60), || {
            if look(self) {
                return Some(true);
            }
            // A last look, as it may have said it and ended.
            self.child.try_wait().unwrap().map(|_| look(self))
        });
        assert!(found, "the daemon ended before {what}:\n{}", self.log());
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// Ends it by SIGKILL, as the kernel does when memory runs out.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end by SIGTERM and waits until it has.
    #[track_caller]
    pub fn terminate(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait_end(Duration::from_secs(120))
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait_end(&mut self, deadline: Duration) -> ExitStatus {
        let status = wait(&mut self.child, deadline);
        status.unwrap_or_else(|| panic!("the daemon was still running after {deadline:?}:\n{}", self.log()))
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the daemon's log\n{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}
