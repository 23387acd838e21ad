//! `pg_dump`, its archive on a pipe.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::super::connection::Endpoint;
use super::super::control::ControlConnection;
use super::super::server::{Permit, Postgres};
use super::super::tools::Tool;
use super::archive_pipe::ArchivePipe;
use super::child::{Running, Start, application_name, wide_pipe};
use super::error::{Cause, ProcessError};
use super::stderr::Tail;

/// How to dump.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DumpOptions {
    /// A snapshot to import ([`ControlConnection::export_snapshot`]); default: one of its own.
    pub snapshot: Option<String>,
    /// How long to wait for each table's lock; default: as long as it takes.
    pub lock_wait_timeout: Option<Duration>,
}

/// A running pg_dump. Dropping it ends it.
pub struct DumpProcess {
    running: Running<Tail>,
    stdout: Option<ArchivePipe>,
    database: String,
    application_name: String,
}

/// A dump that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpEnd {
    /// What it said on standard error nevertheless.
    pub warnings: Vec<String>,
}

impl DumpProcess {
    /// Starts `pg_dump --format=custom --compress=0` of `postgres` at the host where our own connection is. `run` stands
    /// in its `application_name`; `tmp_dir` is a private folder for its passfile.
    pub async fn start(
        tool: &Tool,
        postgres: &Postgres,
        endpoint: &Endpoint,
        permit: Permit,
        options: &DumpOptions,
        run: &str,
        tmp_dir: &Path,
    ) -> Result<Self, ProcessError> {
        let failed = |source: Cause| ProcessError::not_started("pg_dump", postgres.name(), source);
        let password = postgres.password(&endpoint.host, endpoint.port).await.map_err(|error| failed(error.into()))?;
        let (reader, writer) = wide_pipe().map_err(|error| failed(error.into()))?;
        let mut args = vec!["--format=custom".to_owned(), "--compress=0".to_owned(), "--no-password".to_owned()];
        args.extend(options.snapshot.as_ref().map(|id| format!("--snapshot={id}")));
        args.extend(options.lock_wait_timeout.map(|time| format!("--lock-wait-timeout={}", time.as_millis())));
        args.push(format!("--dbname={}", postgres.conninfo(endpoint)));
        let application_name = application_name(run);
        let running = Running::start(Start {
            tool,
            args: args.into_iter().map(Into::into).collect(),
            application_name: &application_name,
            password: password.as_ref(),
            tmp_dir,
            stdin: Stdio::null(),
            stdout: writer.into(),
            permit: Some(permit),
        })
        .map_err(|error| failed(error.into()))?;
        Ok(Self {
            running,
            stdout: Some(ArchivePipe::new(reader)),
            database: postgres.name().to_owned(),
            application_name,
        })
    }

    /// The archive, for a thread that may block. Once.
    pub fn take_stdout(&mut self) -> Option<ArchivePipe> {
        self.stdout.take()
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.running.id()
    }

    /// Its backend's `application_name`.
    pub fn application_name(&self) -> &str {
        &self.application_name
    }

    /// Waits for its end; anything but exit status 0 is an error. May be dropped and called again. Somebody must read
    /// the archive meanwhile.
    pub async fn wait(&mut self) -> Result<DumpEnd, ProcessError> {
        let (status, said) =
            self.running.wait().await.map_err(|error| ProcessError::not_started("pg_dump", &self.database, error))?;
        let lines = said.into_lines();
        if status.success() {
            Ok(DumpEnd { warnings: lines })
        } else {
            Err(ProcessError::ended("pg_dump", &self.database, status, lines))
        }
    }

    /// Ends it: SIGTERM, after 5 s SIGKILL, and then its backend, if the control connection can reach it. The reader of
    /// the archive sees the end of the pipe.
    pub async fn cancel(&mut self, control: Option<&mut ControlConnection>) {
        self.running.end().await;
        if let Some(control) = control
            && let Err(error) = control.terminate(&self.application_name).await
        {
            tracing::warn!(database = self.database, "the dump's backend may still run: {error}");
        }
    }
}
