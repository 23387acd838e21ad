//! `COPY … TO STDOUT` exactly as pg_dump does it, to compare a restored table with the dumped one.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use futures::stream::BoxStream;

use super::connection::{ANSWER_WITHIN, Connection, answer};
use super::error::{DatabaseError, DatabaseErrorKind};
use super::server::Postgres;
use super::sql::{self, Identifier, IdentifierError};

/// The server sends one message per row; handing each one on would cost more than the rows.
const CHUNK: usize = 256 * 1024;

/// How long the server may go without sending a row.
const ROW_WITHIN: Duration = Duration::from_secs(600);

/// The recorded settings that are set again: see [`super::Identity::settings`].
const SHAPING: [&str; 4] = ["client_encoding", "bytea_output", "lc_monetary", "xmlbinary"];

/// What `setup_connection` in pg_dump.c sets (PostgreSQL 10 to 18), plus `TimeZone`, which Caretaker gives pg_dump
/// through PGTZ. `client_min_messages`: a NOTICE in another encoding would break the driver.
const PG_DUMP_SETTINGS: [(&str, &str); 12] = [
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "3"),
    ("synchronize_seqscans", "off"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("row_security", "off"),
    ("search_path", ""),
    ("TimeZone", "UTC"),
    ("quote_all_identifiers", "off"),
    ("client_min_messages", "error"),
];

/// A connection of its own for COPY. A stream that is not read to its end leaves the connection unusable; the session
/// then connects anew for the next table.
#[derive(Debug)]
pub struct CopySession {
    postgres: Postgres,
    settings: BTreeMap<String, String>,
    connection: Option<Connection>,
    broken: bool,
}

impl CopySession {
    /// Connects and sets what shapes the bytes: what pg_dump sets, then the settings recorded in the backup.
    pub async fn open(postgres: &Postgres, settings: &BTreeMap<String, String>) -> Result<Self, DatabaseError> {
        let mut session =
            Self { postgres: postgres.clone(), settings: settings.clone(), connection: None, broken: false };
        session.connection = Some(session.connect().await?);
        Ok(session)
    }

    async fn connect(&self) -> Result<Connection, DatabaseError> {
        let mut connection = self.postgres.connect("compare").await?;
        let pg = connection.pg();
        let prepare = async {
            // The recorded settings come from a manifest: only those that shape bytes are taken from it.
            let recorded = self.settings.iter().filter(|(name, _)| SHAPING.contains(&name.as_str()));
            let recorded = recorded.map(|(name, value)| (name.as_str(), value.as_str()));
            for (name, value) in PG_DUMP_SETTINGS.into_iter().chain(recorded) {
                sqlx::query("SELECT set_config($1, $2, false)").bind(name).bind(value).execute(&mut *pg).await?;
            }
            Ok(())
        };
        answer(self.postgres.name(), "prepare for COPY", ANSWER_WITHIN, prepare).await?;
        Ok(connection)
    }

    /// Begins `COPY schema.table (columns) TO STDOUT`. `columns` as pg_dump wrote them; `None` and the empty list: no
    /// list. The bytes are the rows' lines, without the closing `\.` line of a dump.
    pub async fn copy_out(
        &mut self,
        schema: &str,
        table: &str,
        columns: Option<&str>,
    ) -> Result<CopyStream<'_>, DatabaseError> {
        let database = self.postgres.name().to_owned();
        let operation = format!("copy {schema}.{table}");
        let statement = statement(schema, table, columns)
            .map_err(|error| DatabaseError::new(&database, &operation, DatabaseErrorKind::Other(error.to_string())))?;
        if self.broken {
            self.connection = None;
        }
        let fresh = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        self.broken = true;
        let pg = self.connection.insert(fresh).pg();
        let stream = answer(&database, &operation, ANSWER_WITHIN, pg.copy_out_raw(&statement)).await?;
        Ok(CopyStream { stream, broken: &mut self.broken, database, operation, chunk: BytesMut::new() })
    }
}

/// The bytes of one COPY.
pub struct CopyStream<'a> {
    stream: BoxStream<'a, Result<Bytes, sqlx::Error>>,
    broken: &'a mut bool,
    database: String,
    operation: String,
    chunk: BytesMut,
}

impl CopyStream<'_> {
    /// The next bytes, at least 256 KiB except at the end; not cut at line ends. `None`: the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, DatabaseError> {
        while *self.broken {
            let row = tokio::time::timeout(ROW_WITHIN, self.stream.try_next()).await;
            let row = row.map_err(|_| {
                DatabaseError::new(&self.database, &self.operation, DatabaseErrorKind::Timeout(ROW_WITHIN.as_secs()))
            })?;
            match row.map_err(|error| DatabaseError::from_sqlx(&self.database, &self.operation, error))? {
                None => *self.broken = false,
                Some(row) if self.chunk.is_empty() && row.len() >= CHUNK => return Ok(Some(row)),
                Some(row) => {
                    if self.chunk.capacity() == 0 {
                        self.chunk.reserve(CHUNK * 2);
                    }
                    self.chunk.extend_from_slice(&row);
                    if self.chunk.len() >= CHUNK {
                        return Ok(Some(std::mem::take(&mut self.chunk).freeze()));
                    }
                }
            }
        }
        let rest = std::mem::take(&mut self.chunk).freeze();
        Ok((!rest.is_empty()).then_some(rest))
    }
}

fn statement(schema: &str, table: &str, columns: Option<&str>) -> Result<String, IdentifierError> {
    let columns = sql::parse_columns(columns.unwrap_or_default())?;
    let list: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let list = if list.is_empty() { String::new() } else { format!(" ({})", list.join(", ")) };
    Ok(format!("COPY {}.{}{list} TO STDOUT", Identifier::new(schema)?, Identifier::new(table)?))
}
