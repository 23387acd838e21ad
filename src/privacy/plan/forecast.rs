//! How long a rule will take, what it writes, and whether it keeps up with what comes in.

use jiff::SignedDuration;
use serde::Serialize;

use super::measure::count;
use super::resolve::{Resolved, Setting};
use crate::privacy::ground::{Ground, GroundError};
use crate::state::Disposition;

/// What is to be expected of a rule.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Forecast {
    /// How long it will take, in seconds: by its last run, else by what such a table usually takes.
    pub estimated_seconds: f64,
    /// Whether an earlier run of it says so.
    pub is_by_experience: bool,
    /// About how many bytes of write-ahead log it writes at most; `None`: SQLite, whose log begins anew again and again.
    pub estimated_wal_bytes: Option<u64>,
    /// Rows that came into the table in an hour of the last day; `None`: no index tells.
    pub intake_per_hour: Option<f64>,
    /// Rows that go or change in an hour of work.
    pub drain_per_hour: f64,
}

/// Seconds that a row takes where nothing is known: to go or to change, and for each trigger or foreign key that looks at
/// it. As `make bench ONLY=privacy` finds them on two busy cores.
const EACH: f64 = 4e-6;
const EACH_LOOK: f64 = 12e-6;

/// Bytes of write-ahead log of a row that goes: its record's header, block reference and data.
/// <https://www.postgresql.org/docs/current/wal-internals.html>
const RECORD: u64 = 60;

/// A page, which is written whole when it is changed for the first time after a checkpoint.
const PAGE: u64 = 8192;

/// What is to be expected of so many rows of a rule's table.
#[allow(clippy::cast_precision_loss, reason = "estimates for people")]
pub async fn forecast(
    ground: &mut dyn Ground,
    setting: &Setting<'_>,
    resolved: &Resolved<'_>,
    rows: u64,
    table_rows: u64,
    earlier: &[Disposition],
) -> Result<Forecast, GroundError> {
    let last = earlier.iter().find(|one| one.rule == resolved.rule.name && one.done > 0 && one.busy_ms > 0);
    let each = match last {
        Some(last) => last.busy_ms as f64 / 1e3 / last.done as f64,
        None => EACH + EACH_LOOK * looks(setting, resolved) as f64,
    };
    Ok(Forecast {
        estimated_seconds: rows as f64 * each,
        is_by_experience: last.is_some(),
        estimated_wal_bytes: setting.dialect.has_pages().then(|| wal(resolved, rows, table_rows)),
        intake_per_hour: intake(ground, setting, resolved).await?,
        drain_per_hour: 3600.0 / each,
    })
}

/// How many triggers and foreign keys look at each row.
fn looks(setting: &Setting<'_>, resolved: &Resolved<'_>) -> usize {
    let goes = resolved.assignments.is_empty();
    let fires = |one: &&crate::database::schema::Trigger| if goes { one.on_delete } else { one.on_update };
    let keys = if goes { setting.schema.inbound(&resolved.table.relation).count() } else { 0 };
    keys + resolved.table.triggers.iter().filter(fires).filter(|one| one.is_for_each_row).count()
}

fn wal(resolved: &Resolved<'_>, rows: u64, table_rows: u64) -> u64 {
    let table = resolved.table;
    let each = match resolved.assignments.is_empty() {
        true => RECORD,
        // The new row, and a line in each index.
        false => 2 * RECORD + table.pages * PAGE / table_rows.max(1) + 80 * table.indexes.len() as u64,
    };
    rows * each + rows.min(table.pages) * PAGE
}

/// Rows of the last day, by the hour.
#[allow(clippy::cast_precision_loss, reason = "a rate for people")]
async fn intake(
    ground: &mut dyn Ground,
    setting: &Setting<'_>,
    resolved: &Resolved<'_>,
) -> Result<Option<f64>, GroundError> {
    let name = &resolved.rule.age_column;
    let (Some(age), Some(_)) = (resolved.table.column(name), resolved.table.index_on(name)) else { return Ok(None) };
    let day_ago = setting.now - SignedDuration::from_hours(24);
    let Some(young) = setting.dialect.since(age, day_ago, &setting.policy.timezone) else { return Ok(None) };
    Ok(Some(count(ground, resolved, young).await? as f64 / 24.0))
}
