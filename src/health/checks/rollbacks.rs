//! Transactions rolled back, of all since the last look.

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::figure;
use crate::health::{PostgresView, Seen, Unseen, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::Rollbacks,
    about: "transactions rolled back, of all since the last look",
    deep: false,
    warning: Some(0.10),
    critical: Some(0.50),
    source: "applications roll back a few in a hundred; from one in ten on something is failing for somebody",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// Fewer transactions than this are no sample.
const FEW: f64 = 100.0;

const COUNTERS: &str = "SELECT xact_commit AS committed, xact_rollback AS rolled_back FROM pg_stat_database
    WHERE datname = current_database()";

#[allow(clippy::cast_precision_loss, reason = "counters are below 2^53 for a long time")]
async fn look(view: &mut PostgresView<'_>) -> Seen {
    let row = view.row(COUNTERS).await?;
    let (committed, rolled_back): (i64, i64) = (figure(&row, "committed")?, figure(&row, "rolled_back")?);
    let committed = view.own.advance("xact_commit", "", committed as f64).await?;
    let rolled_back = view.own.advance("xact_rollback", "", rolled_back as f64).await?;
    let (Some(committed), Some(rolled_back)) = (committed, rolled_back) else {
        return Err(Unseen::not_applicable("the first look at these counters: there is nothing to compare them with"));
    };
    let all = committed.by + rolled_back.by;
    let share = if all < FEW { 0.0 } else { rolled_back.by / all };
    let over = crate::units::seconds(rolled_back.over.as_secs_f64());
    let summary = format!("{} of {all} transactions were rolled back within {over}", rolled_back.by);
    Ok(Verdict::new(view.own.limits.judge(share), summary).figure(share).advice(
        "read the server's log for the errors behind it (constraint violations, deadlocks, timeouts), and ask which \
         release began it",
    ))
}
