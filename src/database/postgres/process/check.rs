//! Whether an archive can be read to its end, by the tool that will one day have to.

use std::io::PipeWriter;
use std::path::Path;
use std::process::Stdio;

use super::super::tools::Tool;
use super::child::{Running, Start, application_name, wide_pipe};
use super::error::ProcessError;
use super::stderr::Tail;

/// A running `pg_restore --file=/dev/null`. Dropping it ends it.
pub struct ArchiveCheck {
    running: Running<Tail>,
    stdin: Option<PipeWriter>,
    backup: String,
}

/// Starts pg_restore without a database: it turns the whole archive into SQL and throws it away. `backup` names it in
/// errors.
pub fn check_archive(tool: &Tool, backup: &str, tmp_dir: &Path) -> Result<ArchiveCheck, ProcessError> {
    let failed = |error| ProcessError::not_started("pg_restore", backup, error);
    let (reader, writer) = wide_pipe().map_err(failed)?;
    let running = Running::start(Start {
        tool,
        args: ["--format=custom", "--file=/dev/null"].map(Into::into).to_vec(),
        application_name: &application_name("check"),
        password: None,
        tmp_dir,
        stdin: reader.into(),
        stdout: Stdio::null(),
        permit: None,
    })
    .map_err(failed)?;
    Ok(ArchiveCheck { running, stdin: Some(writer), backup: backup.to_owned() })
}

impl ArchiveCheck {
    /// Where the archive goes, for a thread that may block. Once; closing it is the archive's end. pg_restore may end
    /// after the last block without waiting for that, so `EPIPE` is not yet a failure: [`Self::wait`] decides.
    pub fn take_stdin(&mut self) -> Option<PipeWriter> {
        self.stdin.take()
    }

    /// Waits for its end; `Ok`: readable, with what it said nevertheless. May be dropped and called again.
    pub async fn wait(&mut self) -> Result<Vec<String>, ProcessError> {
        let failed = |error| ProcessError::not_started("pg_restore", &self.backup, error);
        let (status, said) = self.running.wait().await.map_err(failed)?;
        let lines = said.into_lines();
        if status.success() { Ok(lines) } else { Err(ProcessError::ended("pg_restore", &self.backup, status, lines)) }
    }

    /// Ends it: SIGTERM, after 5 s SIGKILL.
    pub async fn cancel(&mut self) {
        self.running.end().await;
    }
}
