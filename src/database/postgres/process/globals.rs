//! `pg_dumpall --globals-only`: roles without their passwords, and tablespaces.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::super::connection::Endpoint;
use super::super::conninfo;
use super::super::server::{Permit, Postgres};
use super::super::tools::Tool;
use super::child::{Running, Start, application_name, wide_pipe};
use super::error::{Cause, ProcessError};
use super::stderr::Tail;

/// More than any server's roles; beyond it something is wrong.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
const WITHIN: Duration = Duration::from_secs(300);

/// The roles, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Globals {
    /// SQL that creates roles and tablespaces.
    Sql(Vec<u8>),
    /// The role may not read them, or the tool failed: one sentence. The backup stands without them.
    Unavailable(String),
}

/// Runs `pg_dumpall --globals-only --no-role-passwords`.
pub async fn globals(
    tool: &Tool,
    postgres: &Postgres,
    endpoint: &Endpoint,
    permit: Permit,
    run: &str,
    tmp_dir: &Path,
) -> Globals {
    match tokio::time::timeout(WITHIN, read(tool, postgres, endpoint, permit, run, tmp_dir)).await {
        Ok(Ok(sql)) if sql.len() as u64 > MOST_BYTES => {
            Globals::Unavailable(format!("pg_dumpall wrote more than {} MiB", MOST_BYTES >> 20))
        }
        Ok(Ok(sql)) => Globals::Sql(sql),
        Ok(Err(error)) => Globals::Unavailable(crate::fault::chain(&error)),
        Err(_) => Globals::Unavailable(format!("pg_dumpall did not end within {} s", WITHIN.as_secs())),
    }
}

async fn read(
    tool: &Tool,
    postgres: &Postgres,
    endpoint: &Endpoint,
    permit: Permit,
    run: &str,
    tmp_dir: &Path,
) -> Result<Vec<u8>, ProcessError> {
    let failed = |source: Cause| ProcessError::not_started("pg_dumpall", postgres.name(), source);
    let password = postgres.password(&endpoint.host, endpoint.port).await.map_err(|error| failed(error.into()))?;
    let (reader, writer) = wide_pipe().map_err(|error| failed(error.into()))?;
    let args = [
        "--globals-only".to_owned(),
        "--no-role-passwords".to_owned(),
        "--no-password".to_owned(),
        format!("--dbname={}", postgres.conninfo(endpoint)),
        // Roles are the same from every database; this is the one we were let into.
        format!("--database={}", conninfo::dbname(&postgres.target().dbname)),
    ];
    let mut running = Running::<Tail>::start(Start {
        tool,
        args: args.into_iter().map(Into::into).collect(),
        application_name: &application_name(run),
        password: password.as_ref(),
        tmp_dir,
        stdin: Stdio::null(),
        stdout: writer.into(),
        permit: Some(permit),
    })
    .map_err(|error| failed(error.into()))?;
    let sql = tokio::task::spawn_blocking(move || {
        let mut sql = Vec::new();
        reader.take(MOST_BYTES + 1).read_to_end(&mut sql).map(|_| sql)
    });
    let sql = sql.await.map_err(|panic| failed(panic.into()))?.map_err(|error| failed(error.into()))?;
    let (status, said) = running.wait().await.map_err(|error| failed(error.into()))?;
    if status.success() || sql.len() as u64 > MOST_BYTES {
        Ok(sql)
    } else {
        Err(ProcessError::ended("pg_dumpall", postgres.name(), status, said.into_lines()))
    }
}
