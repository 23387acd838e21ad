//! A web server behind TLS.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{Hook, required};

/// A hook that is reached by HTTPS; killed when dropped.
#[derive(Debug)]
pub struct OverTls {
    child: Child,
    /// `https://localhost:PORT`
    pub url: String,
}

impl OverTls {
    /// With a certificate in the folder of `tests/with-servers`: `server` is that of `localhost`, `elsewhere` is not.
    pub fn before(hook: &Hook, certificate: &str) -> Self {
        let folder = PathBuf::from(required("CARETAKER_TEST_TLS"));
        let (_, port) = hook.url.rsplit_once(':').unwrap();
        let mut command = Command::new(PathBuf::from(required("CARETAKER_TEST_SMTP")).with_file_name("python3"));
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls-proxy.py"));
        command.arg(folder.join(format!("{certificate}.pem"))).arg(folder.join(format!("{certificate}.key"))).arg(port);
        // What it says of clients that do not trust it is what the tests are about.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, url: format!("https://localhost:{}", line.trim()) }
    }
}

impl Drop for OverTls {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
