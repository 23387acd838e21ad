//! `retention = …`: a preset or a table.

use ::config::ValueKind;

use super::super::Retention;
use super::values::{number, span, span_of};
use super::{Problem, Section, Spot};

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

/// A policy by its name ([`Retention::preset`]), or any other length of time: all that are younger.
fn preset(spot: &Spot<'_>) -> Result<Retention, Problem> {
    let text = spot.text()?.trim();
    let lasting = || span_of(text).map(|span| Retention { keep_within: Some(span), ..Retention::default() });
    Retention::preset(text).or_else(lasting).ok_or_else(|| {
        Problem::new(format!("unknown retention `{text}`"))
            .help("write `7 days` (or any length of time), `last 10`, `gfs`, or a table such as `{ keep_daily = 7 }`")
    })
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
    if !retention.has_keep_rule() && retention.max_age.is_none() {
        section.error(
            Problem::new("this retention has no rule")
                .help("say what stays, for instance `keep_last = 7`, or leave `retention` out to keep all"),
        );
        return None;
    }
    if let (Some(within), Some(age)) = (&retention.keep_within, &retention.max_age)
        && within.compare((age, jiff::SpanRelativeTo::days_are_24_hours())).is_ok_and(|order| order.is_gt())
    {
        section.warning(Problem::new("`max_age` is shorter than `keep_within`, and wins"));
    }
    Some(retention)
}
