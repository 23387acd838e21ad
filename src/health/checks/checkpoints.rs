//! Checkpoints that WAL forced before their time, of all within the last hour.
//! <https://www.postgresql.org/docs/current/wal-configuration.html>

use jiff::SignedDuration;

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::figure;
use crate::health::{PostgresView, Seen, Unseen, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::Checkpoints,
    about: "checkpoints that were forced before their time, of all within the last hour",
    deep: false,
    warning: Some(0.50),
    critical: Some(0.90),
    source: "the manual's advice is that checkpoints come by checkpoint_timeout, and that max_wal_size is raised where \
             most come by WAL",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// Fewer forced ones are no pattern: somebody said CHECKPOINT, or dropped a database.
const FEW: f64 = 4.0;

const BEFORE_17: &str = "SELECT checkpoints_timed AS timed, checkpoints_req AS forced,
        current_setting('max_wal_size') AS wal, current_setting('checkpoint_timeout') AS timeout FROM pg_stat_bgwriter";
const SINCE_17: &str = "SELECT num_timed AS timed, num_requested AS forced,
        current_setting('max_wal_size') AS wal, current_setting('checkpoint_timeout') AS timeout FROM pg_stat_checkpointer";

#[allow(clippy::cast_precision_loss, reason = "counts of checkpoints")]
async fn look(view: &mut PostgresView<'_>) -> Seen {
    let row = view.row(if view.server.major >= 17 { SINCE_17 } else { BEFORE_17 }).await?;
    let (timed, forced): (i64, i64) = (figure(&row, "timed")?, figure(&row, "forced")?);
    let (wal, timeout): (String, String) = (figure(&row, "wal")?, figure(&row, "timeout")?);
    let timed = view.own.climb("checkpoints_timed", "", timed as f64, WINDOW).await?;
    let forced = view.own.climb("checkpoints_forced", "", forced as f64, WINDOW).await?;
    let (Some(timed), Some(forced)) = (timed, forced) else {
        return Err(Unseen::not_applicable("the first look at these counters: there is nothing to compare them with"));
    };
    let all = timed.by + forced.by;
    let share = if forced.by < FEW { 0.0 } else { forced.by / all };
    let over = crate::units::seconds(forced.over.as_secs_f64());
    let summary = format!("{} of {} checkpoints were forced within {over}", forced.by, all);
    let evidence = format!("max_wal_size is {wal}, checkpoint_timeout {timeout}");
    Ok(Verdict::new(view.own.limits.judge(share), summary).figure(share).evidence([evidence]).advice(
        "raise max_wal_size until checkpoints come by checkpoint_timeout; each one makes the next write of every page a \
         full page of WAL",
    ))
}
