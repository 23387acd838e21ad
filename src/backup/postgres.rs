//! A PostgreSQL database as the source of a backup: pg_dump's archive, fingerprinted on its way through, and the roles
//! beside it.

use std::io::Read;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::take::{Contents, Making, Wish};
use crate::archive::fingerprint::{Broken, DumpFingerprint, DumpReader};
use crate::archive::manifest::{Object, Source, SourceKind};
use crate::database::postgres::{
    Connection, ControlConnection, DumpOptions, DumpProcess, Globals, Identity, Postgres, Program, Snapshot, Tool,
    Wanted, find, globals,
};
use crate::run::Failure;

/// What is read from the pipe at once: fits the cache together with what is done to it.
const READ: usize = 256 * 1024;

fn server<'a>(wish: &'a Wish<'_>) -> Result<&'a Postgres, Failure> {
    wish.servers
        .get(&wish.settings.database)
        .ok_or_else(|| Failure::new(format!("database {} is not a PostgreSQL database", wish.settings.database)))
}

async fn tool(program: Program, identity: &Identity, wish: &Wish<'_>) -> Result<Tool, Failure> {
    Ok(find(program, Wanted::to_dump(identity.major), wish.config.daemon.pg_bindir.as_deref()).await?)
}

/// What a dry run can tell.
pub(super) async fn plan(wish: &Wish<'_>) -> Result<Value, Failure> {
    let mut connection = server(wish)?.connect("plan").await?;
    let identity = connection.identify().await?;
    connection.close().await;
    let pg_dump = tool(Program::PgDump, &identity, wish).await?;
    Ok(json!({
        "source": format!("PostgreSQL {}, database {}", identity.version, identity.database),
        "pg_dump": pg_dump.version,
        "pg_dump_path": pg_dump.path,
    }))
}

/// Dumps the database into all stores.
pub(super) async fn dump(making: &mut Making<'_>) -> Result<Contents, Failure> {
    let postgres = server(making.wish)?.clone();
    making.context.progress.phase("connect");
    let mut warnings = Vec::new();
    let mut objects = Vec::new();
    if let Some(roles) = until_cancelled(making, roles(making, &postgres, &mut warnings)).await? {
        objects.push(store_roles(making, roles).await?);
    }
    // Two connections taken at once: two jobs that each held one and waited for the second would wait for ever.
    let mut reservation = until_cancelled(making, async { Ok(postgres.reserve(2).await?) }).await?;
    let purpose = format!("control {}", making.context.run_id);
    let mut connection = postgres.connect_with(reservation.take()?, &purpose).await?;
    let identity = connection.identify().await?;
    let pg_dump = tool(Program::PgDump, &identity, making.wish).await?;
    tracing::info!(
        run_id = making.context.run_id,
        server = identity.version,
        pg_dump = pg_dump.version,
        path = %pg_dump.path.display(),
        "dumping"
    );
    let mut control = ControlConnection::lock(connection, &format!("backup:{}", making.wish.lease)).await?;
    let snapshot = control.export_snapshot().await?;
    let options = DumpOptions { snapshot: Some(snapshot.id.clone()), lock_wait_timeout: None };
    let (run, staging) = (&making.context.run_id, &making.context.staging);
    let dump = DumpProcess::start(&pg_dump, &postgres, control.endpoint(), reservation.take()?, &options, run, staging)
        .await?;
    let dumped = stream(making, dump, &mut control, &snapshot).await;
    control.close().await;
    let (object, fingerprint, said) = dumped?;
    let damage = whole(&fingerprint, &said)?;
    objects.insert(0, object);
    warnings.extend(said.into_iter().map(|line| format!("pg_dump: {line}")));
    if let Some(reason) = &fingerprint.not_fingerprinted {
        warnings.push(format!("not fingerprinted: {reason}"));
    }
    Ok(Contents {
        kind: SourceKind::Postgres,
        snapshot_at: snapshot.taken_at,
        source: Source { version: identity.version, name: identity.database, settings: identity.settings },
        pg_dump: Some(pg_dump.version),
        objects,
        fingerprint: fingerprint.summary(),
        tables: fingerprint.tables,
        large_objects: fingerprint.large_objects,
        warnings,
        damage,
    })
}

/// What is wrong with a dump whose pg_dump ended well. One without a table of contents is no backup at all; one that was
/// cut is kept, and does not count as good.
fn whole(fingerprint: &DumpFingerprint, said: &[String]) -> Result<Vec<String>, Failure> {
    let reason = fingerprint.not_fingerprinted.as_deref().unwrap_or("it ends early");
    match fingerprint.broken {
        None => Ok(Vec::new()),
        Some(Broken::Cut) => Ok(vec![format!("pg_dump ended well, but {reason}")]),
        Some(Broken::NoArchive) => {
            let said = said.first().map_or(String::new(), |line| format!("; it said: {line}"));
            Err(Failure::new(format!("pg_dump ended well, but what it wrote is no archive ({reason}){said}"))
                .hint("run it by hand with --format=custom; a script may stand in its place (`pg_bindir`)"))
        }
    }
}

type Dumped = (Object, DumpFingerprint, Vec<String>);

async fn stream(
    making: &mut Making<'_>,
    mut dump: DumpProcess,
    control: &mut ControlConnection,
    _snapshot: &Snapshot,
) -> Result<Dumped, Failure> {
    making.context.progress.phase("dump");
    let level = making.wish.settings.fingerprint;
    let cancel = making.context.cancel.clone();
    let mut pipe = dump.take_stdout().ok_or_else(|| Failure::new("a bug: the dump has no output"))?;
    let (begun, first_bytes) = oneshot::channel();
    let produce = move |push: &mut dyn FnMut(&[u8]) -> std::io::Result<()>| {
        let mut reader = DumpReader::new(level);
        let mut buffer = vec![0; READ];
        let mut begun = Some(begun);
        loop {
            let length = match pipe.read(&mut buffer) {
                Ok(0) => return Ok(reader.finish()),
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if let Some(begun) = begun.take() {
                // Nobody listens any more only when the dump has failed already.
                let _ = begun.send(());
            }
            reader.push(&buffer[..length]);
            push(&buffer[..length])?;
        }
    };
    let said = std::sync::Mutex::new(Vec::new());
    let confirm = async {
        let ended = tokio::select! {
            ended = async {
                // pg_dump has imported the snapshot once it writes; until then it must stay exported.
                let (ended, ()) = tokio::join!(dump.wait(), async {
                    if first_bytes.await.is_ok()
                        && let Err(error) = control.release_snapshot().await
                    {
                        tracing::debug!(%error, "the exported snapshot is not released before the dump's end");
                    }
                });
                ended
            } => ended,
            () = cancel.cancelled() => {
                dump.cancel(Some(control)).await;
                return Err(Failure::new("cancelled"));
            }
        };
        let end = ended?;
        *said.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = end.warnings;
        Ok(())
    };
    let (object, fingerprint) = making.stream("data.dump", produce, confirm).await?;
    Ok((object, fingerprint, said.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)))
}

/// The roles as SQL; `None`, and a warning, where they cannot be had. The backup stands without them.
async fn roles(
    making: &Making<'_>,
    postgres: &Postgres,
    warnings: &mut Vec<String>,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut reservation = postgres.reserve(2).await?;
    let mut connection: Connection = postgres.connect_with(reservation.take()?, "roles").await?;
    let identity = connection.identify().await?;
    // A missing pg_dump ends the backup here, before anything was stored; a missing pg_dumpall only costs the roles.
    tool(Program::PgDump, &identity, making.wish).await?;
    let without = |why: String| format!("no roles beside the dump (globals.sql): {why}");
    let found = match tool(Program::PgDumpall, &identity, making.wish).await {
        Ok(tool) => {
            let (run, staging) = (&making.context.run_id, &making.context.staging);
            globals(&tool, postgres, connection.endpoint(), reservation.take()?, run, staging).await
        }
        Err(failure) => Globals::Unavailable(failure.message),
    };
    connection.close().await;
    Ok(match found {
        Globals::Sql(sql) => Some(sql),
        Globals::Unavailable(why) => {
            warnings.push(without(why));
            None
        }
    })
}

async fn store_roles(making: &mut Making<'_>, roles: Vec<u8>) -> Result<Object, Failure> {
    let produce = move |push: &mut dyn FnMut(&[u8]) -> std::io::Result<()>| push(&roles);
    let (object, ()) = making.stream("globals.sql", produce, async { Ok(()) }).await?;
    Ok(object)
}

async fn until_cancelled<T>(making: &Making<'_>, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        () = making.context.cancel.cancelled() => Err(Failure::new("cancelled")),
    }
}
