//! `retention = …`: a preset or a table.

use ::config::ValueKind;

use super::super::Retention;
use super::values::{number, span, span_of};
use super::{Problem, Section, Spot};

/// Keeps nothing; what presets and tables start from.
const NOTHING: Retention = Retention {
    keep_last: 0,
    keep_hourly: 0,
    keep_daily: 0,
    keep_weekly: 0,
    keep_monthly: 0,
    keep_yearly: 0,
    keep_within: None,
    min_good: 1,
    max_age: None,
};
/// More backups than this is a slip of the finger.
const MOST: i64 = 1_000_000;

/// `None`: there is none, or it is wrong.
pub(super) fn read(job: &Section<'_>) -> Option<Retention> {
    let spot = job.spot("retention")?;
    match &spot.value.kind {
        ValueKind::Table(_) => table(&job.table("retention")),
        ValueKind::String(_) => job.optional("retention", preset),
        _ => {
            spot.error(
                Problem::new("expected a preset or a table")
                    .help("write `\"7 days\"`, `\"last 10\"`, `\"gfs\"`, or a table such as `{ keep_daily = 7 }`"),
            );
            None
        }
    }
}

/// `"gfs"` (grandfather, father, son): 7 daily, 5 weekly, 12 monthly. `"last N"`: the newest N. A length of time: all
/// that are younger.
fn preset(spot: &Spot<'_>) -> Result<Retention, Problem> {
    let text = spot.text()?.trim();
    if text.eq_ignore_ascii_case("gfs") {
        return Ok(Retention { keep_daily: 7, keep_weekly: 5, keep_monthly: 12, ..NOTHING });
    }
    if let Some(count) = text.strip_prefix("last ") {
        return match count.trim().parse() {
            Ok(count) if count > 0 => Ok(Retention { keep_last: count, ..NOTHING }),
            _ => Err(Problem::new("`last` needs a number of backups greater than 0").help("write it like `last 10`")),
        };
    }
    let keep_within = span_of(text).ok_or_else(|| {
        Problem::new(format!("unknown retention `{text}`"))
            .help("write `7 days` (or any length of time), `last 10`, `gfs`, or a table such as `{ keep_daily = 7 }`")
    })?;
    Ok(Retention { keep_within: Some(keep_within), ..NOTHING })
}

fn table(section: &Section<'_>) -> Option<Retention> {
    let rules = ["keep_last", "keep_hourly", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly"];
    let counts = rules.map(|key| section.optional(key, number(0..=MOST)).unwrap_or(0));
    let [keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly] = counts;
    let keep_within = section.optional("keep_within", span);
    let min_good = section.or("min_good", 1, number(1..=MOST));
    let max_age = section.optional("max_age", span);
    section.finish();
    if section.is_faulty() {
        return None;
    }
    let retention = Retention {
        keep_last,
        keep_hourly,
        keep_daily,
        keep_weekly,
        keep_monthly,
        keep_yearly,
        keep_within,
        min_good: min_good?,
        max_age,
    };
    if counts.iter().all(|count| *count == 0) && retention.keep_within.is_none() {
        let help = match retention.max_age {
            Some(age) => {
                format!("`max_age` says what must go; say what stays, for instance `keep_within = \"{age:#}\"`")
            }
            None => "say what stays, for instance `keep_last = 7`, or leave `retention` out to keep all".to_owned(),
        };
        section.error(Problem::new("this retention keeps nothing").help(help));
        return None;
    }
    if let (Some(within), Some(age)) = (&retention.keep_within, &retention.max_age)
        && within.compare((age, jiff::SpanRelativeTo::days_are_24_hours())).is_ok_and(|order| order.is_gt())
    {
        section.warning(Problem::new("`max_age` is shorter than `keep_within`, and wins"));
    }
    Some(retention)
}
