//! Damage that the extension amcheck finds: btree indexes whose entries are out of order, as after a change of the
//! system's collations, or that lack rows of their table; since PostgreSQL 14 tables with broken rows too.
//! <https://www.postgresql.org/docs/current/amcheck.html>

use std::time::{Duration, Instant};

use sqlx::postgres::types::Oid;

use super::listing::few;
use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::{figure, optional, unseen};
use crate::health::{PostgresView, Seen, Unseen, Verdict};
use crate::state::Status;

pub(super) const CHECK: Check = Check {
    name: CheckName::Amcheck,
    about: "tables and btree indexes that amcheck finds damaged",
    deep: true,
    warning: Some(1.0),
    critical: Some(1.0),
    source: "a damaged index hides rows, a damaged table loses them; PostgreSQL's manual, amcheck",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// Small ones first, so that as many as possible are looked at. A standby has no unlogged ones.
const OBJECTS: &str = "SELECT oid, object, name FROM (
        SELECT c.oid, c.relpages, format('%s.%s', n.nspname, t.relname) AS object, c.relname::text AS name
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am a ON a.oid = c.relam
        WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence = 'p' AND i.indisvalid AND i.indisready
        UNION ALL
        SELECT c.oid, c.relpages, format('%s.%s', n.nspname, c.relname), NULL
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am a ON a.oid = c.relam
        WHERE a.amname = 'heap' AND c.relkind IN ('r', 'm') AND c.relpersistence = 'p') o
    ORDER BY relpages, object, name";

/// Takes no more than an AccessShareLock; reads the whole index, and its table for rows that the index lacks.
const CHECK_INDEX: &str = "SELECT 0::int8 AS damaged, NULL AS first FROM bt_index_check($1::regclass, true)";

/// Gives a row for each damage instead of an error. Rows that lie outside the table's own pages (TOAST) too.
const CHECK_TABLE: &str = "SELECT count(*) AS damaged,
        min(format('block %s, row %s: %s', blkno, coalesce(offnum::text, '?'), msg)) AS first
    FROM verify_heapam($1::regclass, check_toast => true)";

/// Within the round's deadline for a deep check, so that what was found is not lost with it.
const WITHIN: Duration = Duration::from_secs(1500);

/// data_corrupted, index_corrupted.
const DAMAGE: [&str; 2] = ["XX001", "XX002"];

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let Some(version) = view.reach("amcheck").await? else {
        return Err(Unseen::not_applicable("the extension amcheck is not installed (CREATE EXTENSION amcheck)"));
    };
    let began = Instant::now();
    let mut rows = view.rows(OBJECTS).await?;
    let knows_tables = knows_tables(&version);
    if !knows_tables {
        rows.retain(|row| optional::<String>(row, "name").is_ok_and(|index| index.is_some()));
    }
    let (mut looked_at, mut broken, mut passed_over) = (0_u32, Vec::new(), Vec::new());
    for (at, row) in rows.iter().enumerate() {
        let (oid, object): (Oid, String) = (figure(row, "oid")?, figure(row, "object")?);
        let index = optional::<String>(row, "name")?;
        let key = index.as_ref().map_or_else(|| object.clone(), |index| format!("{object}.{index}"));
        if view.own.exclude.leaves_out(&object) || view.own.exclude.leaves_out(&key) {
            continue;
        }
        if began.elapsed() > WITHIN {
            passed_over.push(format!("no time was left for {}, the largest ones", rows.len() - at));
            break;
        }
        let error = match view.about(if index.is_some() { CHECK_INDEX } else { CHECK_TABLE }, oid).await {
            Ok(row) => {
                looked_at += 1;
                let damaged: i64 = figure(&row, "damaged")?;
                if let Some(first) = optional::<String>(&row, "first")?.filter(|_| damaged > 0) {
                    broken.push(format!("{key}: {damaged} damaged, the first: {first}"));
                }
                continue;
            }
            Err(error) => error,
        };
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        let why = error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        match code.as_str() {
            code if DAMAGE.contains(&code) => {
                looked_at += 1;
                broken.push(format!("{key}: {why}"));
            }
            "42501" => return Err(Unseen::unknown(why).cure(super::grant(privilege(knows_tables)))),
            // Dropped meanwhile.
            "42P01" | "42704" => {}
            "55P03" => passed_over.push(format!("{key}: locked")),
            "" => return Err(unseen(&error)),
            _ => passed_over.push(format!("{key}: {why}")),
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "indexes of a database are fewer than 2^52")]
    let figure = broken.len() as f64;
    let status = view.own.limits.judge(figure);
    let what = if knows_tables { "tables and indexes" } else { "indexes" };
    if status == Status::Ok && !passed_over.is_empty() {
        let why =
            format!("{looked_at} {what} are sound, but others were not looked at: {}", few(passed_over).join("; "));
        return Err(Unseen::unknown(why).cure("exclude those that cannot be looked at, or change `deep_schedule`"));
    }
    let summary = match broken.len() {
        0 => format!("{looked_at} {what} are sound"),
        several => format!("{several} of {looked_at} {what} are damaged"),
    };
    Ok(Verdict::new(status, summary).figure(figure).evidence(few(broken)).evidence(passed_over).advice(
        "an index: REINDEX INDEX CONCURRENTLY after finding the cause: an upgrade of the system's collations (then REINDEX \
         all that hold text), or hardware; for a unique index look for duplicates first. A table: keep the backups from \
         before, test disk and memory, restore beside it and compare",
    ))
}

/// `verify_heapam` came with amcheck 1.3, with PostgreSQL 14.
fn knows_tables(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (1, 3)
}

fn privilege(knows_tables: bool) -> &'static str {
    if knows_tables {
        "EXECUTE ON FUNCTION bt_index_check(regclass, boolean), \
         verify_heapam(regclass, boolean, boolean, text, bigint, bigint)"
    } else {
        "EXECUTE ON FUNCTION bt_index_check(regclass, boolean)"
    }
}
