//! A program that takes a message on standard input.

use std::io::ErrorKind;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::fs::{Access, access};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::super::{Receipt, SendError};
use super::http::permanent;
use super::presented::line;
use super::view::shortened;

/// Where programs are looked for that a script calls.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// As much of what it says is kept.
const SAID_BYTES: u64 = 4096;
/// How long its last words are waited for once it has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Runs a program with a scrubbed environment. 0: it took the message. 75 (EX_TEMPFAIL of sysexits.h) and whatever is
/// not one of sysexits' permanent ones: another attempt may help. It ends, with all its children in its process group,
/// when the future is dropped.
pub(super) async fn run(argv: &[String], input: &[u8], env: &[(&str, &str)]) -> Result<Receipt, SendError> {
    let (program, arguments) = argv.split_first().ok_or_else(|| permanent("no program".to_owned(), None))?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8").envs(env.iter().copied());
    command.current_dir("/").process_group(0).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => {
            permanent(format!("cannot run {program}: {error}"), Some("correct its path, or make it executable"))
        }
        _ => temporary(format!("cannot run {program}: {error}")),
    })?;
    let mut group = Group(child);
    let (stdin, stdout, stderr) = (group.0.stdin.take(), group.0.stdout.take(), group.0.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input to the end is judged by its exit code.
            let _ = stdin.write_all(input).await;
            let _ = stdin.shutdown().await;
        }
    };
    let talk = async { tokio::join!(feed, listen(stdout), listen(stderr)) };
    tokio::pin!(talk);
    let (status, ((), said, complaint)) = tokio::select! {
        talked = &mut talk => (group.0.wait().await, talked),
        // What it leaves running in the background may hold on to its outputs; nobody waits for that.
        status = group.0.wait() => (status, timeout(LAST_WORDS, talk).await.unwrap_or_default()),
    };
    let status = status.map_err(|error| temporary(format!("cannot wait for {program}: {error}")))?;
    judge(program, status, &said, &complaint)
}

/// Whether a program is there and may be run.
pub(super) fn executable(program: &str) -> Result<Receipt, SendError> {
    let hint = Some("correct its path, or make it executable");
    let is_file = std::fs::metadata(program).map(|data| data.is_file());
    let found = match is_file {
        Ok(true) => access(program, Access::EXEC_OK).map_err(|error| error.to_string()),
        Ok(false) => Err("it is no file".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    found
        .map(|()| Receipt(format!("{program} can be run")))
        .map_err(|why| permanent(format!("cannot run {program}: {why}"), hint))
}

/// The beginning of what a stream says; the rest is read and forgotten, so that nobody blocks on it.
async fn listen(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut bytes = Vec::new();
    let _ = (&mut stream).take(SAID_BYTES).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    shortened(&line(&String::from_utf8_lossy(&bytes)), 300)
}

fn judge(program: &str, status: ExitStatus, said: &str, complaint: &str) -> Result<Receipt, SendError> {
    if status.success() {
        return Ok(Receipt(if said.is_empty() { "exit code 0".to_owned() } else { said.to_owned() }));
    }
    let words = if complaint.is_empty() { said } else { complaint };
    let words = if words.is_empty() { String::new() } else { format!(": {words}") };
    let message = format!("{program} ended with {status}{words}");
    // sysexits.h: usage, data, input, user, host; protocol, permission, configuration.
    match status.code() {
        Some(64..=68 | 76..=78) => Err(permanent(message, None)),
        _ => Err(temporary(message)),
    }
}

fn temporary(message: String) -> SendError {
    SendError::Temporary { message, retry_after: None }
}

/// A child in a process group of its own, which ends with this.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Without an id it has ended and was waited for.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}
