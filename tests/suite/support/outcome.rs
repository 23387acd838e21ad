//! Running a program to its end, with a deadline, and looking at how it went.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How a program ended and what it said.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The command, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output, as text.
    pub stdout: String,
    /// Standard output, as it came.
    pub bytes: Vec<u8>,
    /// Standard error, as text.
    pub stderr: String,
}

impl Outcome {
    /// The exit code; 128 + N for a program ended by signal N, as shells say it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or_default())
    }

    /// Asserts exit code 0.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.exits(0)
    }

    /// Asserts an exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert!(
            self.code() == code,
            "`{}` ended with {}, not with exit code {code}\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.status,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Asserts that standard output holds a text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "`{}` does not say {text:?}:\n{}", self.command, self.stdout);
        self
    }

    /// Asserts that standard error holds a text.
    #[track_caller]
    pub fn complains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{}` does not complain {text:?}:\n{}", self.command, self.stderr);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("`{}` does not print JSON ({error}):\n{}", self.command, self.stdout))
    }
}

/// Runs a command to its end; what it reads from standard input is `input`.
///
/// # Panics
/// When it cannot be started, or is still running at the deadline (it is killed then).
#[track_caller]
pub fn run(command: &mut Command, input: &[u8], deadline: Duration) -> Outcome {
    let name = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    std::thread::scope(|scope| {
        // A program that ends without reading its input is not an error here.
        scope.spawn(move || drop(stdin.write_all(input)));
        let bytes = scope.spawn(move || slurp(&mut stdout));
        let complaints = scope.spawn(move || slurp(&mut stderr));
        let status = wait(&mut child, deadline);
        let bytes = bytes.join().unwrap();
        let stdout = String::from_utf8_lossy(&bytes).into_owned();
        let stderr = String::from_utf8_lossy(&complaints.join().unwrap()).into_owned();
        let Some(status) = status else {
            panic!("{name} was still running after {deadline:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
        };
        Outcome { command: name.replace('"', ""), status, stdout, bytes, stderr }
    })
}

fn slurp(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Waits for a child; at the deadline kills it and gives `None`.
pub(super) fn wait(child: &mut Child, deadline: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if start.elapsed() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
