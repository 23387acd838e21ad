//! How much a SQLite file grows in a day; the check itself stands in [`super::growth`].

use jiff::SignedDuration;

use super::growth::METRIC;
use super::sqlite;
use crate::health::{Seen, SqliteView, Unseen, Verdict};

/// What the pace is taken from, and the least of it.
const DAYS: SignedDuration = SignedDuration::from_hours(7 * 24);
const LEAST: SignedDuration = SignedDuration::from_hours(20);

/// The bytes of a file that hold something, so that a VACUUM or free pages do not look like shrinking and growing.
#[allow(clippy::cast_precision_loss, reason = "bytes of a file are below 2^53")]
pub(super) async fn look(view: &mut SqliteView<'_>) -> Seen {
    let found = sqlite::look(view).await?;
    let used = (found.pages.saturating_sub(found.free_pages) * found.page_size) as f64;
    let kept = view.own.kept(METRIC, view.own.now - DAYS).await?;
    view.own.keep(METRIC, "", used);
    let first = kept.iter().find(|sample| sample.object.is_empty() && sample.at < view.own.now);
    let Some((first, span)) =
        first.map(|first| (first, view.own.now.duration_since(first.at))).filter(|(_, span)| *span >= LEAST)
    else {
        return Err(Unseen::not_applicable("its size has not been watched for a day yet"));
    };
    let per_day = (used - first.value) / span.as_secs_f64() * 86_400.0;
    let share = (per_day / first.value.max(1.0)).max(0.0);
    let (size, grown) = (crate::units::bytes(used), crate::units::bytes(per_day.abs()));
    let how = if per_day < 0.0 { "shrinks" } else { "grows" };
    let summary = format!("{size} in use, {how} by {grown} a day");
    Ok(Verdict::new(view.own.limits.judge(share), summary).figure(share).advice(
        "find the table that grows (`sqlite3_analyzer`), and whether something that should delete no longer does",
    ))
}
