//! How much of what is read is found in shared buffers, from counters of this database.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::figure;
use crate::health::{PostgresView, Seen, Unseen, Verdict};
use crate::state::Sample;
use crate::units;

pub(super) const CHECK: Check = Check {
    name: CheckName::CacheHit,
    about: "blocks found in shared buffers, of those asked for",
    deep: false,
    warning: Some(0.90),
    critical: Some(0.80),
    source: "check_postgres (hitratio): 90 % and 80 %; deltas, because a total since the last reset hardly moves",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

const BLOCKS: &str = "SELECT blks_hit, blks_read FROM pg_stat_database WHERE datname = current_database()";

/// Tables by the blocks that came from outside shared buffers. The functions below the views, because the views join
/// every table with its indexes.
const TABLES: &str = "SELECT format('%s.%s', n.nspname, t.relname) AS name, t.missed FROM (
        SELECT c.relnamespace, c.relname, pg_stat_get_blocks_fetched(c.oid) - pg_stat_get_blocks_hit(c.oid) AS missed
        FROM pg_class c WHERE c.relkind IN ('r', 'm', 't') ORDER BY 3 DESC NULLS LAST LIMIT 5) t
    JOIN pg_namespace n ON n.oid = t.relnamespace WHERE t.missed > 0 ORDER BY t.missed DESC";

/// Fewer blocks (80 MB) say nothing: a quiet night would wake people. They are added to those of the next looks instead.
const ENOUGH: f64 = 10_000.0;

/// Counters from longer ago say nothing of now.
const STALE: SignedDuration = SignedDuration::from_hours(26);

#[allow(clippy::cast_precision_loss, reason = "blocks since the server's start are fewer than 2^52")]
async fn look(view: &mut PostgresView<'_>) -> Seen {
    let row = view.row(BLOCKS).await?;
    let (hit, read) = (figure::<i64>(&row, "blks_hit")? as f64, figure::<i64>(&row, "blks_read")? as f64);
    let since = view.own.now - STALE;
    let (hits, reads) = (view.own.latest("blks_hit", since).await?, view.own.latest("blks_read", since).await?);
    let last = |kept: &BTreeMap<String, Sample>, now: f64| {
        kept.get("")
            .filter(|sample| sample.value <= now && sample.at < view.own.now)
            .map(|sample| (sample.at, sample.value))
    };
    let (Some((at, hit_before)), Some((_, read_before))) = (last(&hits, hit), last(&reads, read)) else {
        remember(view, hit, read);
        return Err(Unseen::not_applicable("the first look: there is nothing to compare with yet"));
    };
    let (hit_since, read_since) = (hit - hit_before, read - read_before);
    let (asked, over) = (hit_since + read_since, view.own.now.duration_since(at).as_secs_f64());
    if asked < ENOUGH {
        let why = format!("only {} blocks were read in {}", units::count(asked), units::seconds(over));
        return Err(Unseen::not_applicable(why));
    }
    remember(view, hit, read);
    let tables = view.rows(TABLES).await?;
    let mut evidence = Vec::new();
    for row in &tables {
        let (name, missed): (String, i64) = (figure(row, "name")?, figure(row, "missed")?);
        evidence.push(format!("{name}: {missed} blocks read from outside since the last reset"));
    }
    let share = hit_since / asked;
    let summary = format!(
        "{} of {} blocks in {} were in shared buffers",
        units::share(share),
        units::count(asked),
        units::seconds(over)
    );
    Ok(Verdict::new(view.own.limits.judge(share), summary).figure(share).evidence(evidence).advice(
        "look for scans of whole tables (missing indexes) first; then give shared_buffers about a quarter of the memory",
    ))
}

fn remember(view: &mut PostgresView<'_>, hit: f64, read: f64) {
    view.own.keep_latest("blks_hit", "", hit);
    view.own.keep_latest("blks_read", "", read);
}
