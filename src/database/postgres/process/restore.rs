//! `pg_restore`, its archive from a pipe.

use std::io::PipeWriter;
use std::path::Path;
use std::process::Stdio;

use super::super::connection::Endpoint;
use super::super::server::{Permit, Postgres};
use super::super::tools::Tool;
use super::child::{Running, Start, application_name, wide_pipe};
use super::error::{Cause, ProcessError};
use super::restore_log::RestoreLog;

/// How to restore.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreOptions {
    /// Everything belongs to the role that restores.
    pub no_owner: bool,
    /// No GRANT or REVOKE.
    pub no_privileges: bool,
}

/// A running pg_restore. Dropping it ends it.
pub struct RestoreProcess {
    running: Running<RestoreLog>,
    stdin: Option<PipeWriter>,
    database: String,
}

/// How a pg_restore that read its archive to the end has fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreEnd {
    /// Statements that failed and that matter; the first 200.
    pub errors: Vec<String>,
    /// How many there were.
    pub errors_total: u64,
    /// What failed or was said without harm to the data: owners and grants of roles that are missing, settings this
    /// server does not know. The first 200.
    pub warnings: Vec<String>,
}

impl RestoreProcess {
    /// Starts `pg_restore` into `postgres`, whose handle must name the target database. It goes on after errors, which
    /// [`RestoreEnd`] sorts.
    pub async fn start(
        tool: &Tool,
        postgres: &Postgres,
        endpoint: &Endpoint,
        permit: Permit,
        options: &RestoreOptions,
        run: &str,
        tmp_dir: &Path,
    ) -> Result<Self, ProcessError> {
        let failed = |source: Cause| ProcessError::not_started("pg_restore", postgres.name(), source);
        let password = postgres.password(&endpoint.host, endpoint.port).await.map_err(|error| failed(error.into()))?;
        let (reader, writer) = wide_pipe().map_err(|error| failed(error.into()))?;
        let mut args = vec!["--format=custom".to_owned(), "--no-password".to_owned()];
        args.extend(options.no_owner.then(|| "--no-owner".to_owned()));
        args.extend(options.no_privileges.then(|| "--no-privileges".to_owned()));
        args.push(format!("--dbname={}", postgres.conninfo(endpoint)));
        let running = Running::start(Start {
            tool,
            args: args.into_iter().map(Into::into).collect(),
            application_name: &application_name(run),
            password: password.as_ref(),
            tmp_dir,
            stdin: reader.into(),
            stdout: Stdio::null(),
            permit: Some(permit),
        })
        .map_err(|error| failed(error.into()))?;
        Ok(Self { running, stdin: Some(writer), database: postgres.name().to_owned() })
    }

    /// Where the archive goes, for a thread that may block. Once; closing it is the archive's end. `EPIPE`: it has ended
    /// early, and [`Self::wait`] says why.
    pub fn take_stdin(&mut self) -> Option<PipeWriter> {
        self.stdin.take()
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.running.id()
    }

    /// Waits for its end. Exit status 1 with only sorted messages is an end; a cut or unreadable archive, a lost
    /// connection or a signal is an error. May be dropped and called again.
    pub async fn wait(&mut self) -> Result<RestoreEnd, ProcessError> {
        let failed = |error| ProcessError::not_started("pg_restore", &self.database, error);
        let (status, mut log) = self.running.wait().await.map_err(failed)?;
        log.close();
        // pg_restore sums up only when it has read everything; without that line it gave up in the middle.
        let went_through = log.tail.lines.iter().any(|line| line.contains("errors ignored on restore: "));
        if status.success() || (status.code() == Some(1) && went_through) {
            return Ok(RestoreEnd { errors: log.errors, errors_total: log.errors_total, warnings: log.warnings });
        }
        Err(ProcessError::ended("pg_restore", &self.database, status, log.tail.into_lines()))
    }

    /// Ends it: SIGTERM, after 5 s SIGKILL.
    pub async fn cancel(&mut self) {
        self.running.end().await;
    }
}
