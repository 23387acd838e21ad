//! A PostgreSQL backup restored into an empty or new database.

use std::io::{Read, Write};

use jiff::Timestamp;

use super::compare::{Comparison, compare, depth};
use super::source::BackupSource;
use super::verify::writer_major;
use super::{RestoreContext, RestorePlan, Restored, Target, Trouble};
use crate::archive::fingerprint::{LargeObjectHasher, TableHasher};
use crate::archive::manifest::{LargeObject, Table};
use crate::config::FingerprintLevel;
use crate::database::postgres::{
    Closed, Connection, CopySession, DatabaseErrorKind, Identifier, NewDatabase, Postgres, Program, RestoreOptions,
    RestoreProcess, Tool, Wanted, find,
};
use crate::privacy::replay::{Copy, Replay, Replayed};
use crate::privacy::session::Place;
use crate::run::{Failure, Refusal};

/// Databases that every server has, from which another one can be looked for and created.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

pub(super) async fn plan(
    source: &BackupSource,
    server: &Postgres,
    context: &RestoreContext<'_>,
) -> Result<RestorePlan, Failure> {
    let data = source.data()?;
    let (exists, mut connection) = look(server).await?;
    let identity = connection.identify().await?;
    let occupied = if exists { connection.contents().await? } else { Vec::new() };
    connection.close().await;
    let tool = pg_restore(source, identity.major, context).await?;
    let mut warnings = Vec::new();
    let from = writer_major(source);
    if from > identity.major {
        warnings.push(format!("the backup was written by pg_dump {from}, the target is PostgreSQL {}", identity.major));
    }
    Ok(RestorePlan {
        backup: source.manifest.id.to_string(),
        store: source.store.name().to_string(),
        snapshot_at: source.manifest.snapshot_at,
        stored_bytes: data.bytes,
        plain_bytes: data.plain_bytes,
        target: format!("{} (PostgreSQL {})", Target::Postgres(server.clone()), identity.version),
        creates: !exists,
        occupied,
        tool: Some(tool.version),
        warnings,
    })
}

async fn pg_restore(source: &BackupSource, target_major: u32, context: &RestoreContext<'_>) -> Result<Tool, Failure> {
    let wanted = Wanted::to_restore(target_major, writer_major(source));
    Ok(find(Program::PgRestore, wanted, context.config.daemon.pg_bindir.as_deref()).await?)
}

/// Connects to the target if it exists, else to a maintenance database.
async fn look(server: &Postgres) -> Result<(bool, Connection), Failure> {
    match server.connect("restore").await {
        Ok(connection) => Ok((true, connection)),
        Err(error) if matches!(error.kind, DatabaseErrorKind::NoSuchDatabase(_)) => {
            Ok((false, maintenance(server).await?))
        }
        Err(error) => Err(error.into()),
    }
}

async fn maintenance(server: &Postgres) -> Result<Connection, Failure> {
    let mut last = None;
    for database in MAINTENANCE {
        match server.with_database(database).connect("restore").await {
            Ok(connection) => return Ok(connection),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| Failure::new("no maintenance database"), Failure::from))
}

pub(super) async fn restore(
    source: &BackupSource,
    server: &Postgres,
    plan: &RestorePlan,
    replay: &Replay,
    context: &RestoreContext<'_>,
) -> Result<Restored, Trouble> {
    let name = Identifier::new(&server.target().dbname).map_err(|error| Failure::new(error.to_string()))?;
    let mut warnings = Vec::new();
    if plan.creates {
        create(source, server, &name, &mut warnings).await?;
    } else {
        // Once more: somebody may have been quicker.
        let mut connection = server.connect("restore").await?;
        let occupied = connection.contents().await?;
        connection.close().await;
        if let Some(first) = occupied.first() {
            let failure = Failure::new(format!("the target is not empty any more: {first}"));
            return Err(Failure { refused: Some(Refusal::Safety), ..failure }.into());
        }
        // What is in it by then cannot be told from what is to stay, so nothing is written before every byte is proven.
        context.progress.phase("verify");
        context.progress.expect(2 * source.data()?.bytes);
        let drain = |reader: &mut dyn Read| std::io::copy(reader, &mut std::io::sink());
        source.read(source.data()?, &context.identities, &context.progress, &context.cancel, drain).await?;
    }
    // Before the first row is there: nobody meets in it whom nobody may meet any more.
    let closed = if replay.count() > 0 { close(server).await } else { Ok(()) };
    let is_begun = closed.is_ok();
    let loaded = match closed {
        Ok(()) => load(source, server, context, &mut warnings).await,
        Err(failure) => Err(failure.into()),
    };
    if let Err(trouble) = loaded {
        if !plan.creates && !is_begun {
            return Err(trouble);
        }
        if !plan.creates {
            let hint = "the target is partly filled: drop it, or empty it, before another attempt";
            return Err(trouble.map(|failure| failure.hint(hint)));
        }
        // What we have made and not filled must not look like a restored database.
        return Err(match drop_unfinished(server, &name).await {
            Ok(()) => trouble,
            Err(why) => trouble.map(|failure| {
                failure.hint(format!("the unfinished database {} is still there: {}", name.as_str(), why.message))
            }),
        });
    }
    context.progress.phase("compare");
    let comparison = compare_database(source, server, context).await?;
    let replayed = match replay.count() {
        0 => Vec::new(),
        _ => {
            let mut connection = server.connect("restore").await?;
            connection.note_loaded().await?;
            connection.close().await;
            erase_again(server, replay, Some(plan.snapshot_at), context).await?
        }
    };
    Ok(Restored { comparison, replayed, warnings })
}

async fn close(server: &Postgres) -> Result<(), Failure> {
    let mut connection = server.connect("restore").await?;
    let closed = connection.close_to_others().await?;
    connection.close().await;
    match closed {
        Closed::Yes => Ok(()),
        Closed::No(why) => {
            let message = "people were erased since, and the database cannot be closed while they are in it";
            Err(Failure { refused: Some(Refusal::Safety), ..Failure::new(format!("{message}: {why}")) }
                .hint("restore into a new database, or into one that is the role's own and that nobody uses"))
        }
    }
}

/// Applies erasures again to a database that is closed to others, and opens it once nobody is left in it.
pub(super) async fn erase_again(
    server: &Postgres,
    replay: &Replay,
    snapshot_at: Option<Timestamp>,
    context: &RestoreContext<'_>,
) -> Result<Vec<Replayed>, Failure> {
    let name = Target::Postgres(server.clone()).to_string();
    let copy = Copy { place: Place::Postgres(server.clone()), name: name.clone(), snapshot_at };
    let mut connection = server.connect("restore").await?;
    let is_half_loaded = connection.is_half_loaded().await?;
    connection.close().await;
    if is_half_loaded {
        let message = format!("{name} was being loaded when its restore was cut off: it is no copy");
        return Err(
            Failure { refused: Some(Refusal::Safety), ..Failure::new(message) }.hint("drop it, and restore again")
        );
    }
    let again = async {
        let replayed = super::apply_again(replay, &copy, context).await?;
        let mut connection = server.connect("restore").await?;
        connection.open_to_others().await?;
        connection.close().await;
        Ok(replayed)
    };
    again.await.map_err(|failure: Failure| {
        let left =
            "the database is restored, and closed to everybody but its owner; `caretaker privacy replay` goes on";
        let hint = failure.hint.as_ref().map_or_else(|| left.to_owned(), |hint| format!("{hint}; {left}"));
        Failure { hint: Some(hint), ..failure }
    })
}

async fn drop_unfinished(server: &Postgres, name: &Identifier) -> Result<(), Failure> {
    let mut connection = maintenance(server).await?;
    let dropped = connection.drop_database(name).await;
    connection.close().await;
    Ok(dropped?)
}

async fn create(
    source: &BackupSource,
    server: &Postgres,
    name: &Identifier,
    warnings: &mut Vec<String>,
) -> Result<(), Failure> {
    let encoding = source.manifest.source.settings.get("client_encoding").cloned();
    let mut connection = maintenance(server).await?;
    let alike = NewDatabase { encoding: encoding.clone(), ..NewDatabase::default() };
    let created = match connection.create_database(name, &alike).await {
        Ok(()) => Ok(()),
        // The server's locale may not go with the backup's encoding; C goes with every one.
        Err(error) if matches!(error.kind, DatabaseErrorKind::PermissionDenied(_)) => Err(error),
        Err(first) => {
            let c = || Some("C".to_owned());
            let plain = NewDatabase { encoding, collate: c(), ctype: c() };
            match connection.create_database(name, &plain).await {
                Ok(()) => {
                    warnings.push(
                        "the database was created with locale C: the server's does not go with its encoding".into(),
                    );
                    Ok(())
                }
                Err(_) => Err(first),
            }
        }
    };
    connection.close().await;
    Ok(created?)
}

async fn load(
    source: &BackupSource,
    server: &Postgres,
    context: &RestoreContext<'_>,
    warnings: &mut Vec<String>,
) -> Result<(), Trouble> {
    context.progress.phase("restore");
    let data = source.data()?;
    context.progress.expect(context.progress.view().bytes_in + data.bytes);
    let mut reservation = server.reserve(2).await?;
    let mut connection = server.connect_with(reservation.take()?, "restore").await?;
    let identity = connection.identify().await?;
    let tool = pg_restore(source, identity.major, context).await?;
    let options = RestoreOptions::default();
    let (permit, endpoint) = (reservation.take()?, connection.endpoint());
    let mut process =
        RestoreProcess::start(&tool, server, endpoint, permit, &options, "restore", context.staging).await?;
    let mut pipe = process.take_stdin().ok_or_else(|| Failure::new("a bug: pg_restore has no input"))?;
    let feed = move |reader: &mut dyn Read| match std::io::copy(reader, &mut pipe) {
        // It has ended early; why, it tells itself.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error),
        Ok(_) => pipe.flush(),
    };
    let read = source.read(data, &context.identities, &context.progress, &context.cancel, feed);
    let (read, ended) = tokio::join!(read, process.wait());
    connection.close().await;
    // Bytes that are not those of the manifest explain whatever pg_restore says of them.
    read?;
    let end = ended?;
    warnings.extend(end.warnings);
    match end.errors.first() {
        None => Ok(()),
        Some(first) => Err(Failure::new(format!("pg_restore: {first} ({} errors in all)", end.errors_total)).into()),
    }
}

/// Runs the dump's own COPY of every table in the restored database, through the same function.
async fn compare_database(
    source: &BackupSource,
    server: &Postgres,
    context: &RestoreContext<'_>,
) -> Result<Comparison, Failure> {
    let manifest = &source.manifest;
    let level = depth(manifest);
    let mut session = CopySession::open(server, &manifest.source.settings).await?;
    let mut found = Vec::new();
    for table in manifest.tables.iter().filter(|table| table.not_comparable.is_none() && table.rows.is_some()) {
        if context.cancel.is_cancelled() {
            return Err(Failure::new("cancelled"));
        }
        let mut hasher = TableHasher::new(level);
        let copied = async {
            let mut stream = session.copy_out(&table.schema, &table.name, table.columns.as_deref()).await?;
            while let Some(chunk) = stream.next().await? {
                context.progress.beat();
                hasher.push(&chunk);
            }
            Ok::<_, crate::database::postgres::DatabaseError>(())
        };
        if let Err(error) = copied.await {
            tracing::warn!(table = table.name, error = %crate::fault::chain(&error), "not compared");
            continue;
        }
        let (rows, hash) = hasher.finish();
        found.push(Table { rows: Some(rows), hash, ..table.clone() });
    }
    drop(session);
    let objects = if manifest.large_objects.is_empty() {
        Vec::new()
    } else {
        large_objects(server, level == FingerprintLevel::Hash).await?
    };
    Ok(compare(manifest, &found, &objects))
}

async fn large_objects(server: &Postgres, hashed: bool) -> Result<Vec<LargeObject>, Failure> {
    let mut connection = server.connect("compare").await?;
    let mut found = Vec::new();
    for oid in connection.large_objects().await? {
        let mut hasher = LargeObjectHasher::default();
        connection.read_large_object(oid, |bytes| hasher.push(bytes)).await?;
        let (bytes, hash) = hasher.finish();
        found.push(LargeObject { oid, bytes, hash: hashed.then_some(hash) });
    }
    connection.close().await;
    Ok(found)
}
