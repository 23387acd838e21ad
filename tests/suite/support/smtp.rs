//! A mail server that answers as it is told, and the mails it took.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::outcome::run;
use super::{Container, Sandbox, patient, required, unique};

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Smtp {
    child: Child,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    wish: Value,
    maildir: PathBuf,
}

impl Smtp {
    /// A server without TLS that behaves as `tests/fixtures/smtp-server.py` describes.
    pub fn start(sandbox: &Sandbox, wish: Value) -> Self {
        Self::run(Command::new(python()), sandbox, wish)
    }

    /// The same with STARTTLS, in a container's network.
    pub fn inside(container: &Container, sandbox: &Sandbox, wish: Value) -> Self {
        Self::run(container.beside(&python()), sandbox, with_certificate("starttls", "server", wish))
    }

    fn run(command: Command, sandbox: &Sandbox, wish: Value) -> Self {
        let maildir = sandbox.path(unique("mails"));
        let mut all = json!({"maildir": maildir});
        for (key, value) in wish.as_object().unwrap() {
            all[key] = value.clone();
        }
        let (child, port) = listen(command, &all);
        Self { child, port, wish: all, maildir }
    }

    /// One that keeps of each mail the `Message-ID`, for many mails.
    pub fn counting(sandbox: &Sandbox) -> Self {
        Self::start(sandbox, json!({"log": sandbox.path(unique("message-ids"))}))
    }

    /// Takes it down, connections and all.
    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Brings it back after [`Self::stop`], in the same place.
    pub fn resume(&mut self) {
        self.wish["port"] = json!(self.port);
        (self.child, _) = listen(Command::new(python()), &self.wish);
    }

    /// The same with TLS: `how` is `starttls` or `implicit`, `certificate` the name of one in the folder of
    /// `tests/with-servers`.
    pub fn with_tls(sandbox: &Sandbox, how: &str, certificate: &str, wish: Value) -> Self {
        Self::start(sandbox, with_certificate(how, certificate, wish))
    }

    /// The table of a channel `ops` to `ops@example.org`, with further words for `smtp`.
    pub fn channel(&self, smtp: &str) -> String {
        self.channel_to("['ops@example.org']", smtp)
    }

    /// The same with the recipients.
    pub fn channel_to(&self, to: &str, smtp: &str) -> String {
        format!(
            "[channels.ops]\nkind = 'email'\nfrom = 'Caretaker <caretaker@example.org>'\nto = {to}\ntimeout = '3s'\n\
             smtp = {{ host = 'localhost', port = {}, {smtp} }}\n",
            self.port
        )
    }

    /// The ids of the notifications whose mails a [`Self::counting`] server took, the first first.
    pub fn took(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.wish["log"].as_str().unwrap()).unwrap_or_default();
        // `<NOTIFICATION.RECIPIENT@HOST>`
        text.lines().map(|line| line[1..line.find('.').unwrap()].to_owned()).collect()
    }

    /// The mails it took, the first first.
    #[track_caller]
    pub fn mails(&self) -> Vec<Value> {
        mails(&self.maildir)
    }
}

fn with_certificate(how: &str, certificate: &str, mut wish: Value) -> Value {
    let folder = PathBuf::from(required("CARETAKER_TEST_TLS"));
    wish["tls"] = json!(how);
    wish["cert"] = json!(folder.join(format!("{certificate}.pem")));
    wish["key"] = json!(folder.join(format!("{certificate}.key")));
    wish
}

impl Drop for Smtp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the server, and gives its port.
fn listen(mut command: Command, wish: &Value) -> (Child, u16) {
    command.arg(fixture("smtp-server.py")).arg(wish.to_string());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().parse().expect("the mail server says where it listens"))
}

/// The mails of a maildir, as Python's mail package reads them.
#[track_caller]
pub fn mails(maildir: &Path) -> Vec<Value> {
    let mut command = Command::new(python());
    let outcome = run(command.arg(fixture("read-mails.py")).arg(maildir), b"", patient()).succeeds();
    outcome.json().as_array().unwrap().clone()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn python() -> PathBuf {
    Path::new(&required("CARETAKER_TEST_SMTP")).with_file_name("python3")
}
