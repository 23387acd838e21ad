//! Indexes that nothing has used for as long as Caretaker has looked. The server's own counters are not to be believed
//! alone: a crash or a reset empties them, and says nothing of it.

use jiff::{SignedDuration, Timestamp};

use super::listing::few;
use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::{figure, optional};
use crate::health::{OwnView, PostgresView, Seen, Unseen, Verdict};
use crate::units;

pub(super) const CHECK: Check = Check {
    name: CheckName::UnusedIndexes,
    about: "indexes above 10 MiB that nothing has used for 14 days, by their size together",
    deep: false,
    warning: Some(100.0 * 1024.0 * 1024.0),
    critical: None,
    source: "PostgreSQL's wiki, Index Maintenance; below 10 MiB the cost hardly shows; 14 days hold every weekly job twice",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// How long an index must have been seen unused.
const OBSERVED: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How far back what was kept is looked for.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// `relpages`, as of the last vacuum or analyze, spares asking the file system for the many small ones. What guards
/// something (unique, primary key, exclusion,
/// replica identity) is used even if nobody reads it; a partition's index goes with its parent's.
const INDEXES: &str = "SELECT * FROM (SELECT format('%s.%s', n.nspname, t.relname) AS object, c.relname::text AS name,
            coalesce(pg_stat_get_numscans(c.oid), 0) AS scans, pg_relation_size(c.oid) AS bytes
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
        JOIN pg_namespace n ON n.oid = t.relnamespace
        WHERE NOT i.indisunique AND NOT i.indisprimary AND NOT i.indisexclusion AND NOT i.indisreplident AND i.indisvalid
            AND NOT c.relispartition AND c.relkind = 'i' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
            AND t.relpersistence <> 't' AND c.relpages > 1280) candidates
    WHERE bytes > 10485760 ORDER BY bytes DESC, object, name";

/// Counters of a server that crashed begin anew, and so do those of a standby that was promoted: then the background
/// writer's were reset at another time. Commits only ever grow.
const EPOCH: &str =
    "SELECT extract(epoch FROM w.stats_reset)::float8 AS writer, extract(epoch FROM d.stats_reset)::float8 AS own,
        d.xact_commit::float8 AS commits, (SELECT count(*) FROM pg_stat_replication) AS standbys
    FROM pg_stat_database d, pg_stat_bgwriter w WHERE d.datname = current_database()";

#[allow(clippy::cast_precision_loss, reason = "counters and sizes are below 2^52")]
async fn look(view: &mut PostgresView<'_>) -> Seen {
    if view.server.in_recovery {
        return Err(Unseen::not_applicable("a standby counts its own scans only: look at the primary"));
    }
    let row = view.row(EPOCH).await?;
    let signature = [
        ("stats_writer_reset", optional(&row, "writer")?.unwrap_or(0.0)),
        ("stats_own_reset", optional(&row, "own")?.unwrap_or(0.0)),
    ];
    let standbys: i64 = figure(&row, "standbys")?;
    let epoch = epoch(&mut view.own, signature, figure(&row, "commits")?).await?;
    let rows = view.rows(INDEXES).await?;
    let since = view.own.now - KEPT;
    let (scans, idle) =
        (view.own.latest("index_scans", since).await?, view.own.latest("index_idle_since", since).await?);
    let (mut total, mut lines) = (0.0, Vec::new());
    for row in &rows {
        let (object, name): (String, String) = (figure(row, "object")?, figure(row, "name")?);
        let (count, bytes) = (figure::<i64>(row, "scans")? as f64, figure::<i64>(row, "bytes")? as f64);
        let key = format!("{object}.{name}");
        let unchanged = scans.get(&key).is_some_and(|before| before.value == count);
        let idle_since = idle.get(&key).filter(|_| unchanged).and_then(|before| instant(before.value));
        let idle_since = idle_since.unwrap_or(view.own.now).max(epoch);
        view.own.keep_latest("index_scans", &key, count);
        view.own.keep_latest("index_idle_since", &key, seconds(idle_since));
        let exclude = &view.own.exclude;
        let idle_for = view.own.now.duration_since(idle_since);
        if idle_for < OBSERVED || exclude.leaves_out(&object) || exclude.leaves_out(&key) {
            continue;
        }
        total += bytes;
        lines.push(format!("{key}, {}, unused for {}", units::bytes(bytes), units::seconds(idle_for.as_secs_f64())));
    }
    let observed = view.own.now.duration_since(epoch);
    if observed < OBSERVED {
        let (so_far, needed) = (units::seconds(observed.as_secs_f64()), units::seconds(OBSERVED.as_secs_f64()));
        return Err(Unseen::not_applicable(format!("observed for {so_far}, says something after {needed}")));
    }
    let summary = match lines.len() {
        0 => "every large index was used".to_owned(),
        1 => format!("1 large index is not used, {}", units::bytes(total)),
        several => format!("{several} large indexes are not used, {} together", units::bytes(total)),
    };
    let elsewhere = (standbys > 0).then(|| "standbys count for themselves: look there before dropping one".to_owned());
    Ok(Verdict::new(view.own.limits.judge(total), summary)
        .figure(total)
        .evidence(few(lines))
        .evidence(elsewhere)
        .advice("each costs at every write; DROP INDEX CONCURRENTLY after asking what it was made for (yearly jobs)"))
}

/// Since when the server's counters have gone on without a break, as far as earlier looks know.
async fn epoch(view: &mut OwnView<'_>, signature: [(&str, f64); 2], commits: f64) -> Result<Timestamp, Unseen> {
    let since = view.now - KEPT;
    let mut unbroken = true;
    for (metric, reset) in signature {
        let before = view.latest(metric, since).await?;
        #[allow(clippy::float_cmp, reason = "kept as it came")]
        let same = before.get("").is_some_and(|before| before.value == reset);
        unbroken &= same;
        view.keep_latest(metric, "", reset);
    }
    let before = view.latest("stats_commits", since).await?;
    unbroken &= before.get("").is_some_and(|before| before.value <= commits);
    view.keep_latest("stats_commits", "", commits);
    let before = view.latest("stats_epoch", since).await?;
    let began = before.get("").filter(|_| unbroken).and_then(|before| instant(before.value)).unwrap_or(view.now);
    view.keep_latest("stats_epoch", "", seconds(began));
    Ok(began)
}

#[allow(clippy::cast_possible_truncation, reason = "an instant that was kept by `seconds`")]
fn instant(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_second(seconds as i64).ok()
}

#[allow(clippy::cast_precision_loss, reason = "seconds since 1970 are below 2^52")]
fn seconds(instant: Timestamp) -> f64 {
    instant.as_second() as f64
}
