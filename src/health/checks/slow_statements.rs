//! Statements that take longer than they used to, by pg_stat_statements: the mean since the last look against the mean
//! of about the last day, which follows slowly, so that what stays slow is told of once and then counts as usual.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sqlx::postgres::PgRow;

use super::listing::few;
use super::{Check, LookAt, statement};
use crate::config::CheckName;
use crate::health::view::{figure, optional};
use crate::health::{OwnView, PostgresView, Seen, Unseen, Verdict};
use crate::state::{Sample, Status};
use crate::units;

pub(super) const CHECK: Check = Check {
    name: CheckName::SlowStatements,
    about: "how many times as long as usual a statement takes, by pg_stat_statements",
    deep: false,
    warning: Some(3.0),
    critical: Some(10.0),
    source: "own: a plan that turned over is slower by an order of magnitude, a busy hour by a factor of two",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// The statements of this database that take the most time; without their texts, which lie in a file. `queryid` is NULL
/// for those of other roles without pg_read_all_stats.
const STATEMENTS: &str =
    "SELECT queryid::text AS id, sum(calls)::float8 AS calls, sum(total_exec_time)::float8 / 1000 AS seconds
    FROM pg_stat_statements(false) WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY queryid ORDER BY 3 DESC LIMIT 200";

/// How many of them are shown while none is slower than usual.
const COSTLIEST: usize = 5;

/// Asked for only when there is something to show.
const TEXTS: &str = "SELECT queryid::text AS id, min(query) AS query FROM pg_stat_statements(true)
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND queryid IS NOT NULL GROUP BY 1";

/// A mean of fewer calls is chance.
const CALLS: f64 = 5.0;

/// What takes less than this is not slow, whatever it took before.
const NOTICEABLE: f64 = 0.01;

/// For how long a statement must have been seen before it can be slower than usual.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(1);

/// After this time half of what counts as usual is new, in seconds.
const HALF_LIFE: f64 = 86_400.0;

/// Counters from longer ago say nothing of now.
const STALE: SignedDuration = SignedDuration::from_hours(26);

/// How far back what is usual is looked for.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A statement that was called since the last look.
struct Slower {
    id: String,
    factor: f64,
    line: String,
}

async fn look(view: &mut PostgresView<'_>) -> Seen {
    if view.reach("pg_stat_statements").await?.is_none() {
        let why = "the extension pg_stat_statements is not installed (CREATE EXTENSION pg_stat_statements)";
        return Err(Unseen::not_applicable(why));
    }
    let rows = view.rows(STATEMENTS).await.map_err(|unseen| match &unseen {
        Unseen::Unknown { why, .. } if why.contains("shared_preload_libraries") => {
            unseen.cure("add pg_stat_statements to shared_preload_libraries, and restart the server")
        }
        _ => unseen,
    })?;
    let mut memory = Memory::recall(&view.own).await?;
    let (mut compared, mut hidden, mut slower) = (0_u32, false, Vec::new());
    for row in &rows {
        match optional::<String>(row, "id")? {
            None => hidden = true,
            Some(id) if view.own.exclude.leaves_out(&id) => {}
            Some(id) => {
                if let Some(found) = memory.compare(&mut view.own, id, row)? {
                    compared += 1;
                    slower.push(found);
                }
            }
        }
    }
    slower.retain(|found| view.own.limits.judge(found.factor) > Status::Ok);
    slower.sort_by(|a, b| b.factor.total_cmp(&a.factor));
    if hidden && slower.is_empty() {
        return Err(Unseen::unknown("statements of other roles are hidden from this one").cure(super::MONITOR));
    }
    if compared == 0 {
        let why = "no statement was called often enough to be compared with what is usual";
        return Err(Unseen::not_applicable(why).evidence(with_texts(view, costliest(&rows)?).await?));
    }
    let worst = slower.first().map_or(1.0, |found| found.factor);
    let summary = match slower.len() {
        0 => format!("{compared} statements take about as long as usual"),
        1 => format!("1 statement takes {} times as long as usual", units::count(worst)),
        several => format!("{several} statements take up to {} times as long as usual", units::count(worst)),
    };
    let lines =
        if slower.is_empty() { costliest(&rows)? } else { slower.into_iter().map(|s| (s.id, s.line)).collect() };
    let lines = with_texts(view, lines).await?;
    Ok(Verdict::new(view.own.limits.judge(worst), summary).figure(worst).evidence(few(lines)).advice(
        "EXPLAIN (ANALYZE, BUFFERS) it: stale statistics (ANALYZE), a missing index, a table that has grown, locks",
    ))
}

/// The statements that took the most time since the counters began, by query id.
fn costliest(rows: &[PgRow]) -> Result<Vec<(String, String)>, Unseen> {
    let mut lines = Vec::new();
    for row in rows {
        let Some(id) = optional::<String>(row, "id")? else { continue };
        let (calls, seconds): (f64, f64) = (figure(row, "calls")?, figure(row, "seconds")?);
        let (calls, all) = (units::counted(calls as usize, "call", "calls"), units::seconds(seconds));
        lines.push((id.clone(), format!("query id {id}: {calls}, {all} together")));
        if lines.len() == COSTLIEST {
            break;
        }
    }
    Ok(lines)
}

/// Lines about statements, each with its statement's text.
async fn with_texts(view: &mut PostgresView<'_>, lines: Vec<(String, String)>) -> Result<Vec<String>, Unseen> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let mut texts = BTreeMap::new();
    for row in &view.rows(TEXTS).await? {
        texts.insert(figure::<String>(row, "id")?, optional::<String>(row, "query")?.unwrap_or_default());
    }
    let text =
        |id: &str| texts.get(id).map_or_else(|| "(its text is gone)".to_owned(), |query| statement::shown(query));
    Ok(lines.iter().map(|(id, line)| format!("{line}: {}", text(id))).collect())
}

/// What earlier looks kept of each statement.
struct Memory {
    calls: BTreeMap<String, Sample>,
    seconds: BTreeMap<String, Sample>,
    usual: BTreeMap<String, Sample>,
    since: BTreeMap<String, Sample>,
}

impl Memory {
    async fn recall(own: &OwnView<'_>) -> Result<Self, Unseen> {
        let (last, long) = (own.now - STALE, own.now - KEPT);
        Ok(Self {
            calls: own.latest("statement_calls", last).await?,
            seconds: own.latest("statement_seconds", last).await?,
            usual: own.latest("statement_usual", long).await?,
            since: own.latest("statement_since", long).await?,
        })
    }

    /// Compares a statement with what is usual of it, and learns from it.
    fn compare(&mut self, own: &mut OwnView<'_>, id: String, row: &PgRow) -> Result<Option<Slower>, Unseen> {
        let (calls, seconds): (f64, f64) = (figure(row, "calls")?, figure(row, "seconds")?);
        let last = self.calls.get(&id).zip(self.seconds.get(&id));
        let Some((last_calls, last_seconds)) =
            last.filter(|(c, s)| c.value <= calls && s.value <= seconds && c.at < own.now)
        else {
            own.keep_latest("statement_calls", &id, calls);
            own.keep_latest("statement_seconds", &id, seconds);
            return Ok(None);
        };
        let (called, over) = (calls - last_calls.value, own.now.duration_since(last_calls.at).as_secs_f64());
        if called < CALLS {
            // Counted together with those of the next looks.
            return Ok(None);
        }
        own.keep_latest("statement_calls", &id, calls);
        own.keep_latest("statement_seconds", &id, seconds);
        let mean = (seconds - last_seconds.value) / called;
        let usual = self.usual.get(&id).map(|sample| sample.value);
        own.keep_latest("statement_usual", &id, usual.map_or(mean, |usual| learned(usual, mean, over)));
        let since = self.since.get(&id).map_or(seconds_of(own.now), |sample| sample.value);
        own.keep_latest("statement_since", &id, since);
        let known_for = seconds_of(own.now) - since;
        let Some(usual) = usual.filter(|usual| *usual > 0.0 && known_for >= KNOWN_FOR.as_secs_f64()) else {
            return Ok(None);
        };
        let factor = if mean >= NOTICEABLE { mean / usual } else { 1.0 };
        let line = format!(
            "query id {id}: {} on average instead of {}, {} calls in {}",
            units::seconds(mean),
            units::seconds(usual),
            units::count(called),
            units::seconds(over)
        );
        Ok(Some(Slower { id, factor, line }))
    }
}

/// What counts as usual after a mean over some seconds.
fn learned(usual: f64, mean: f64, over: f64) -> f64 {
    let weight = 1.0 - 0.5_f64.powf(over / HALF_LIFE);
    usual + (mean - usual) * weight
}

#[allow(clippy::cast_precision_loss, reason = "seconds since 1970 are below 2^52")]
fn seconds_of(instant: Timestamp) -> f64 {
    instant.as_second() as f64
}

#[cfg(test)]
mod tests {
    use super::learned;

    #[test]
    fn what_is_usual_follows_within_days() {
        assert!((learned(1.0, 3.0, 86_400.0) - 2.0).abs() < 1e-9);
        assert!((learned(1.0, 3.0, 0.0) - 1.0).abs() < 1e-9);
        assert!(learned(1.0, 10.0, 300.0) < 1.04);
    }
}
