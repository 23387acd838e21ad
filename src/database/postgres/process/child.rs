//! Starting a tool, ending it, and not leaving it behind.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::SecretString;
use tokio::process::{Child, Command};

use super::super::passfile::PrivatePassfile;
use super::super::server::Permit;
use super::super::tools::Tool;
use super::stderr::{Collector, LineSink};

/// How long a tool has after SIGTERM. pg_dump uses it to cancel its query on the server.
const GRACE: Duration = Duration::from_secs(5);

/// What a pipe can hold: Linux's limit for ordinary users (`/proc/sys/fs/pipe-max-size`). Fewer wake-ups per megabyte.
const PIPE_BYTES: usize = 1024 * 1024;

/// What to start.
pub(super) struct Start<'a> {
    pub tool: &'a Tool,
    pub args: Vec<OsString>,
    pub application_name: &'a str,
    pub password: Option<&'a SecretString>,
    pub tmp_dir: &'a Path,
    pub stdin: Stdio,
    pub stdout: Stdio,
    pub permit: Option<Permit>,
}

/// A running tool with everything it needs for as long as it runs.
pub(super) struct Running<S> {
    child: Option<Child>,
    stderr: Collector<S>,
    _passfile: PrivatePassfile,
    _permit: Option<Permit>,
}

impl<S: LineSink + Default> Running<S> {
    pub fn start(start: Start<'_>) -> io::Result<Self> {
        let passfile = PrivatePassfile::write(start.tmp_dir, start.password)?;
        let mut command = Command::new(&start.tool.path);
        command.args(start.args).stdin(start.stdin).stdout(start.stdout).stderr(Stdio::piped());
        // PG* variables of ours would silently change what is dumped. HOME: libpq's own certificates. Messages in
        // English, to be understood.
        command
            .env_clear()
            .envs(["HOME", "TMPDIR"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").env("LANGUAGE", "C");
        command.env("PGTZ", "UTC").env("PGAPPNAME", start.application_name).env("PGPASSFILE", passfile.path());
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn()?;
        let stderr = child.stderr.take().ok_or_else(|| io::Error::other("no standard error"))?;
        Ok(Self { child: Some(child), stderr: Collector::start(stderr), _passfile: passfile, _permit: start.permit })
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Waits for its end. May be dropped and called again.
    pub async fn wait(&mut self) -> io::Result<(ExitStatus, S)> {
        let Some(child) = &mut self.child else { return Err(io::Error::other("it was given up")) };
        let status = child.wait().await?;
        Ok((status, self.stderr.finish().await))
    }

    /// SIGTERM, and SIGKILL after [`GRACE`]; returns when it is gone.
    pub async fn end(&mut self) {
        if let Some(child) = &mut self.child {
            end(child).await;
        }
    }
}

async fn end(child: &mut Child) {
    signal(child, Signal::TERM);
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        signal(child, Signal::KILL);
        let _ = child.wait().await;
    }
}

/// To the whole group. The id cannot have been used again: it stays taken until the child is reaped, and then
/// `Child::id` is `None`.
fn signal(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process_group(pid, signal);
    }
}

impl<S> Drop for Running<S> {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        if child.id().is_none() {
            return;
        }
        signal(&child, Signal::TERM);
        // With a runtime the tool gets its grace and is reaped; without one `kill_on_drop` ends it here and now.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { end(&mut child).await });
        }
    }
}

/// A pipe with room for [`PIPE_BYTES`], as far as the kernel grants it.
pub(super) fn wide_pipe() -> io::Result<(io::PipeReader, io::PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    let _ = rustix::pipe::fcntl_setpipe_size(&writer, PIPE_BYTES);
    Ok((reader, writer))
}

/// The name a session shows: the server cuts it at 63 bytes and replaces what is not ASCII, and it must be found again.
pub(super) fn application_name(purpose: &str) -> String {
    let name = format!("caretaker {purpose}");
    name.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(63).collect()
}
