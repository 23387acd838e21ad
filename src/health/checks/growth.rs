//! How much a database grows in a day, from sizes that earlier looks kept.

use jiff::SignedDuration;

use super::{Check, LookAt, sqlite};
use crate::config::CheckName;
use crate::health::view::figure;
use crate::health::{OwnView, PostgresView, Seen, SqliteView, Unseen, Verdict};
use crate::units;

pub(super) const CHECK: Check = Check {
    name: CheckName::Growth,
    about: "growth in a day, as a share of the size, from 64 MiB a day",
    deep: false,
    warning: Some(0.20),
    critical: Some(0.50),
    source: "at 20 % a day a database doubles within four days; steady growth is what disk_full_in is for",
    look: LookAt {
        postgres: Some(|view| Box::pin(look(view))),
        sqlite: Some(|view| Box::pin(look_sqlite(view))),
        own: None,
    },
};

/// What is kept of each look: the database's size in bytes.
const METRIC: &str = "database_bytes";

/// Less than this in a day is no concern, however small the database.
const FLOOR: f64 = 64.0 * 1024.0 * 1024.0;

/// A day, give or take what a schedule drifts.
const ABOUT_A_DAY: SignedDuration = SignedDuration::from_hours(20);

/// Older sizes are compared with only where there are no younger ones.
const OLDEST: SignedDuration = SignedDuration::from_hours(8 * 24);

const SIZE: &str = "SELECT pg_database_size(current_database()) AS bytes";

/// The largest tables. Exact sizes ask the file system for each file, so they are asked for the largest by the planner's
/// figures only, or by their rows where the planner has none yet.
const TABLES: &str = "SELECT format('%s.%s', n.nspname, t.relname) AS name, pg_total_relation_size(t.oid) AS bytes
    FROM (SELECT c.oid, c.relname, c.relnamespace FROM pg_class c WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
            AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
        ORDER BY greatest(c.relpages, pg_stat_get_live_tuples(c.oid) / 100) DESC LIMIT 40) t
    JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname !~ '^pg_' ORDER BY 2 DESC LIMIT 10";

#[allow(clippy::cast_precision_loss, reason = "sizes of databases are below 2^52 bytes")]
async fn look(view: &mut PostgresView<'_>) -> Seen {
    let size = figure::<i64>(&view.row(SIZE).await?, "bytes")? as f64;
    let tables = view.rows(TABLES).await?;
    let mut evidence = Vec::new();
    for row in &tables {
        let (name, bytes): (String, i64) = (figure(row, "name")?, figure(row, "bytes")?);
        evidence.push(format!("{name}: {}", units::bytes(bytes as f64)));
    }
    judge(&mut view.own, size, evidence).await
}

/// The bytes of a file that hold something, so that a VACUUM or free pages do not look like shrinking and growing.
#[allow(clippy::cast_precision_loss, reason = "bytes of a file are below 2^53")]
async fn look_sqlite(view: &mut SqliteView<'_>) -> Seen {
    let found = sqlite::look(view).await?;
    let bytes = |pages: u64| (pages * found.page_size) as f64;
    let evidence =
        format!("{}, {} of it free pages", units::bytes(bytes(found.pages)), units::bytes(bytes(found.free_pages)));
    judge(&mut view.own, bytes(found.pages.saturating_sub(found.free_pages)), vec![evidence]).await
}

/// Keeps a size, and compares it with that of about a day ago.
async fn judge(view: &mut OwnView<'_>, size: f64, evidence: Vec<String>) -> Seen {
    let kept = view.kept(METRIC, view.now - OLDEST).await?;
    view.keep(METRIC, "", size);
    let Some(then) = kept.iter().rfind(|sample| view.now.duration_since(sample.at) >= ABOUT_A_DAY) else {
        let why = format!("{} large; its growth shows after a day", units::bytes(size));
        return Err(Unseen::not_applicable(why).evidence(evidence));
    };
    let days = view.now.duration_since(then.at).as_secs_f64() / 86_400.0;
    let a_day = (size - then.value) / days;
    let share = if then.value > 0.0 && a_day >= FLOOR { (a_day / then.value).min(1.0) } else { 0.0 };
    let summary = match a_day {
        0.0.. => format!("{} large, {} more a day", units::bytes(size), units::bytes(a_day)),
        _ => format!("{} large, {} less a day", units::bytes(size), units::bytes(-a_day)),
    };
    Ok(Verdict::new(view.limits.judge(share), summary)
        .figure(share)
        .evidence(evidence)
        .advice("see which table grows, whether it is meant to, and whether what is old is deleted"))
}
