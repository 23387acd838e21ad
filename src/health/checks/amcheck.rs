//! Damage in btree indexes, found by the extension amcheck: rows out of order, as after a change of the system's
//! collations, or pages that are broken.

use std::time::{Duration, Instant};

use sqlx::postgres::types::Oid;

use super::listing::few;
use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::{figure, unseen};
use crate::health::{PostgresView, Seen, Unseen, Verdict};
use crate::state::Status;

pub(super) const CHECK: Check = Check {
    name: CheckName::Amcheck,
    about: "btree indexes that amcheck finds broken",
    deep: true,
    warning: Some(1.0),
    critical: Some(1.0),
    source: "a broken index hides rows; PostgreSQL's manual, amcheck",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// Small ones first, so that as many as possible are looked at. A standby has no unlogged ones.
const INDEXES: &str = "SELECT c.oid, format('%s.%s', n.nspname, t.relname) AS object, c.relname::text AS name
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am a ON a.oid = c.relam
    WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence = 'p' AND i.indisvalid AND i.indisready
    ORDER BY c.relpages, 2, 3";

/// Takes no more than an AccessShareLock; reads the whole index.
const CHECK_ONE: &str = "SELECT 1 AS one FROM bt_index_check($1::regclass)";

/// Within the round's deadline for a deep check, so that what was found is not lost with it.
const WITHIN: Duration = Duration::from_secs(1500);

/// data_corrupted, index_corrupted.
const DAMAGE: [&str; 2] = ["XX001", "XX002"];

async fn look(view: &mut PostgresView<'_>) -> Seen {
    if view.reach("amcheck").await?.is_none() {
        return Err(Unseen::not_applicable("the extension amcheck is not installed (CREATE EXTENSION amcheck)"));
    }
    let began = Instant::now();
    let rows = view.rows(INDEXES).await?;
    let (mut looked_at, mut broken, mut passed_over) = (0_u32, Vec::new(), Vec::new());
    for (at, row) in rows.iter().enumerate() {
        let (oid, object, name): (Oid, String, String) =
            (figure(row, "oid")?, figure(row, "object")?, figure(row, "name")?);
        let key = format!("{object}.{name}");
        if view.own.exclude.leaves_out(&object) || view.own.exclude.leaves_out(&key) {
            continue;
        }
        if began.elapsed() > WITHIN {
            passed_over.push(format!("no time was left for {} indexes, the largest ones", rows.len() - at));
            break;
        }
        let Err(error) = view.about(CHECK_ONE, oid).await else {
            looked_at += 1;
            continue;
        };
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        let why = error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        match code.as_str() {
            code if DAMAGE.contains(&code) => {
                looked_at += 1;
                broken.push(format!("{key}: {why}"));
            }
            "42501" => return Err(Unseen::unknown(why).cure(GRANT)),
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
    if status == Status::Ok && !passed_over.is_empty() {
        let why =
            format!("{looked_at} indexes are sound, but others were not looked at: {}", few(passed_over).join("; "));
        return Err(Unseen::unknown(why).cure("exclude those that cannot be looked at, or change `deep_schedule`"));
    }
    let summary = match broken.len() {
        0 => format!("{looked_at} indexes are sound"),
        several => format!("{several} of {looked_at} indexes are broken"),
    };
    Ok(Verdict::new(status, summary).figure(figure).evidence(few(broken)).evidence(passed_over).advice(
        "REINDEX INDEX CONCURRENTLY after finding the cause: an upgrade of the system's collations (then REINDEX all that \
         hold text), or hardware; for a unique index look for duplicates first",
    ))
}

const GRANT: &str = "GRANT EXECUTE ON FUNCTION bt_index_check(regclass) TO CURRENT_USER, as a superuser";
