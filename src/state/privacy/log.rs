//! The disposition log: what was done that people must be able to show. Each line carries the hash of the one before, so
//! that no line can be changed, taken out or put in without it showing; what was cut off at the end shows against the
//! anchors that are kept elsewhere.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::super::instant::{from_ms, to_ms};
use super::super::{State, StateError};

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// Somebody approved a policy.
    PolicyApproved,
    /// A policy differs from what was approved; nothing was done.
    PolicyChanged,
    /// A policy was applied: what came of each rule, and what remains elsewhere.
    PolicyApplied,
    /// A rule is about to be applied; written before the first row goes.
    DispositionStarted,
    /// A rule was applied, with its totals.
    DispositionCompleted,
    /// A rule came to an end before it was done.
    DispositionFailed,
    /// A rule would have gone beyond a cap, and was not applied, or not further.
    CapReached,
    /// Something was refused.
    Refused,
    /// A hold was put.
    HoldAdded,
    /// A hold was released.
    HoldReleased,
    /// A person is to be erased.
    ErasureRequested,
    /// An erasure met a hold.
    ErasureDeferred,
    /// A person was erased.
    ErasureCompleted,
    /// An erasure came to an end before it was done.
    ErasureFailed,
    /// What is held about a person was written out.
    SubjectExported,
    /// A ledger was taken over from a store.
    LedgerAdopted,
    /// A restore begins; written before the first row is there.
    RestoreStarted,
    /// A backup was restored.
    BackupRestored,
    /// A restore came to an end before it was done.
    RestoreFailed,
    /// Erasures were applied again to a copy.
    ErasuresReplayed,
    /// A backup was restored without that, because somebody said so.
    ReplaySkipped,
    /// A backup was written to where somebody wanted it, outside the stores.
    BackupFetched,
    /// Backups were deleted by their retention.
    BackupsPruned,
    /// The last backup is gone that held what was disposed of, or a person who was erased.
    CopiesGone,
    /// Rows were written to an archive, before they go.
    RowsArchived,
    /// Archives of rows were deleted: their time had passed, or none of their rows went.
    ArchivesRemoved,
}

impl LogKind {
    /// The kind as it stands in the log.
    pub fn as_str(self) -> String {
        serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// A line to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// What it is about.
    pub kind: LogKind,
    /// Under which policy.
    pub policy: Option<String>,
    /// In which database.
    pub database: Option<String>,
    /// In which run.
    pub run_id: Option<String>,
    /// Who did it: a person's login, or `daemon`.
    pub who: String,
    /// On which machine.
    pub host: String,
    /// The figures. Never an identity: an HMAC stands for it.
    pub detail: serde_json::Value,
}

/// A line of the log. Its JSON without `hash` is what the hash is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogRecord {
    /// 1, 2, 3, … without gaps.
    pub seq: u64,
    /// When, to the millisecond.
    pub at: Timestamp,
    /// What it is about.
    pub kind: String,
    /// Under which policy.
    pub policy: Option<String>,
    /// In which database.
    pub database: Option<String>,
    /// In which run.
    #[serde(rename = "run")]
    pub run_id: Option<String>,
    /// Who did it.
    pub who: String,
    /// On which machine.
    pub host: String,
    /// The figures.
    pub detail: serde_json::Value,
    /// The hash of the line before; zeros for the first.
    pub prev: String,
    /// SHA-256 of this line as JSON without this member, hexadecimal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
}

impl LogRecord {
    /// What its hash should be.
    pub fn expected_hash(&self) -> String {
        let unsigned = Self { hash: String::new(), ..self.clone() };
        // Strings, numbers and maps with text keys can always be written.
        hex::encode(Sha256::digest(serde_json::to_vec(&unsigned).unwrap_or_default()))
    }
}

/// Where the log stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHead {
    /// The last line's number; 0: there is none.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// Where the log stood once, as it is known from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Anchor {
    /// What was written down.
    pub head: LogHead,
    /// Where: an object of a store, a manifest.
    pub place: String,
}

/// What is wrong with the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// At which line.
    pub seq: u64,
    /// What.
    pub what: String,
}

/// What came of looking through the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// Lines looked at.
    pub lines: u64,
    /// Anchors compared.
    pub anchors: usize,
    /// The last line.
    pub head: LogHead,
    /// What is wrong; nothing, if the log is as it was written.
    pub flaws: Vec<Flaw>,
    /// Lines whose clock stood before that of the line before: no flaw, but worth knowing.
    pub clock_set_back: Vec<u64>,
}

/// The hash before the first line.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Looks through the log: every hash, every link, every anchor.
pub fn verify(records: &[LogRecord], anchors: &[Anchor]) -> LogReport {
    let mut flaws = Vec::new();
    let mut clock_set_back = Vec::new();
    let mut head = LogHead { seq: 0, hash: GENESIS.to_owned() };
    let mut last: Option<&LogRecord> = None;
    for record in records {
        let expected = head.seq + 1;
        if record.seq > expected {
            let gone = match record.seq - 1 {
                end if end == expected => format!("line {expected} is missing"),
                end => format!("lines {expected} to {end} are missing"),
            };
            flaws.push(Flaw { seq: expected, what: gone });
        } else if record.seq < expected {
            flaws.push(Flaw { seq: record.seq, what: "it stands out of order".to_owned() });
        } else if record.prev != head.hash {
            flaws.push(Flaw { seq: record.seq, what: "it does not follow the line before it".to_owned() });
        }
        if record.hash != record.expected_hash() {
            flaws.push(Flaw { seq: record.seq, what: "it was changed: its hash is another".to_owned() });
        }
        if last.is_some_and(|last| last.at > record.at) {
            clock_set_back.push(record.seq);
        }
        head = LogHead { seq: record.seq, hash: record.hash.clone() };
        last = Some(record);
    }
    for anchor in anchors {
        let Anchor { head: LogHead { seq, hash }, place } = anchor;
        match records.iter().find(|record| record.seq == *seq) {
            _ if *seq == 0 => {}
            Some(record) if record.hash == *hash => {}
            Some(_) => flaws.push(Flaw { seq: *seq, what: format!("it is not the line that {place} knows") }),
            None if *seq > head.seq => {
                let what = format!("the log is cut off after line {}: {place} knows line {seq}", head.seq);
                flaws.push(Flaw { seq: *seq, what });
            }
            None => {}
        }
    }
    LogReport { lines: records.len() as u64, anchors: anchors.len(), head, flaws, clock_set_back }
}

/// Adds a line inside a transaction. For operations that must not be without it.
pub(super) async fn append(
    tx: &mut sqlx::Transaction<'_, sqlx::Sqlite>,
    entry: &LogEntry,
    now: Timestamp,
) -> Result<LogHead, sqlx::Error> {
    let last = sqlx::query("SELECT seq, hash FROM disposition_log ORDER BY seq DESC LIMIT 1")
        .fetch_optional(&mut **tx)
        .await?;
    let (seq, prev) = last.map_or((0, GENESIS.to_owned()), |row| (row.get::<i64, _>(0), row.get(1)));
    let mut record = LogRecord {
        seq: seq.unsigned_abs() + 1,
        at: from_ms(to_ms(now)),
        kind: entry.kind.as_str(),
        policy: entry.policy.clone(),
        database: entry.database.clone(),
        run_id: entry.run_id.clone(),
        who: entry.who.clone(),
        host: entry.host.clone(),
        detail: entry.detail.clone(),
        prev,
        hash: String::new(),
    };
    record.hash = record.expected_hash();
    sqlx::query(
        "INSERT INTO disposition_log (seq, at_ms, kind, policy, database, run_id, who, host, detail, prev, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .bind(record.seq.cast_signed())
    .bind(to_ms(record.at))
    .bind(&record.kind)
    .bind(&record.policy)
    .bind(&record.database)
    .bind(&record.run_id)
    .bind(&record.who)
    .bind(&record.host)
    .bind(record.detail.to_string())
    .bind(&record.prev)
    .bind(&record.hash)
    .execute(&mut **tx)
    .await?;
    Ok(LogHead { seq: record.seq, hash: record.hash })
}

impl State {
    /// Adds a line to the log.
    pub async fn log(&self, entry: &LogEntry, now: Timestamp) -> Result<LogHead, StateError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        let head = append(&mut tx, entry, now).await.map_err(|e| self.error(e))?;
        tx.commit().await.map_err(|e| self.error(e))?;
        Ok(head)
    }

    /// The lines of the log from a number on, in their order; of one policy, or of all.
    pub async fn log_records(&self, from: u64, policy: Option<&str>) -> Result<Vec<LogRecord>, StateError> {
        let rows =
            sqlx::query("SELECT * FROM disposition_log WHERE seq >= ?1 AND (?2 IS NULL OR policy = ?2) ORDER BY seq")
                .bind(from.cast_signed())
                .bind(policy)
                .fetch_all(&self.pool)
                .await
                .map_err(|e| self.error(e))?;
        rows.iter().map(read).collect()
    }

    /// The lines of a kind about a database.
    pub async fn logged_of(&self, kind: LogKind, database: &str) -> Result<Vec<LogRecord>, StateError> {
        let rows = sqlx::query("SELECT * FROM disposition_log WHERE kind = ?1 AND database = ?2 ORDER BY seq")
            .bind(kind.as_str())
            .bind(database)
            .fetch_all(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        rows.iter().map(read).collect()
    }

    /// Whether the log has a line of this kind under a policy.
    pub async fn has_logged(&self, kind: LogKind, policy: &str) -> Result<bool, StateError> {
        let row = sqlx::query("SELECT EXISTS (SELECT 1 FROM disposition_log WHERE kind = ?1 AND policy = ?2)")
            .bind(kind.as_str())
            .bind(policy)
            .fetch_one(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(row.get(0))
    }

    /// Where the log stands.
    pub async fn log_head(&self) -> Result<LogHead, StateError> {
        let row = sqlx::query("SELECT seq, hash FROM disposition_log ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(row.map_or(LogHead { seq: 0, hash: GENESIS.to_owned() }, |row| LogHead {
            seq: row.get::<i64, _>(0).unsigned_abs(),
            hash: row.get(1),
        }))
    }
}

fn read(row: &SqliteRow) -> Result<LogRecord, StateError> {
    let detail: String = row.get("detail");
    // What somebody has broken is still shown, and does not have its hash.
    let detail = serde_json::from_str(&detail).unwrap_or(serde_json::Value::String(detail));
    Ok(LogRecord {
        seq: row.get::<i64, _>("seq").unsigned_abs(),
        at: from_ms(row.get("at_ms")),
        kind: row.get("kind"),
        policy: row.get("policy"),
        database: row.get("database"),
        run_id: row.get("run_id"),
        who: row.get("who"),
        host: row.get("host"),
        detail,
        prev: row.get("prev"),
        hash: row.get("hash"),
    })
}
