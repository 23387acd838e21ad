//! Deadlocks since the last look. The server resolves each by failing one of the transactions.

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::figure;
use crate::health::{PostgresView, Seen, Unseen, Verdict};
use crate::units;

pub(super) const CHECK: Check = Check {
    name: CheckName::Deadlocks,
    about: "deadlocks since the last look",
    deep: false,
    warning: Some(1.0),
    critical: Some(25.0),
    source: "each one is a failed transaction; awesome-prometheus-alerts warns from 5 in a minute, 25 in five minutes",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

const DEADLOCKS: &str = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let deadlocks: i64 = figure(&view.row(DEADLOCKS).await?, "deadlocks")?;
    #[allow(clippy::cast_precision_loss, reason = "a counter of rare events")]
    let Some(delta) = view.own.advance("deadlocks", "", deadlocks as f64).await? else {
        return Err(Unseen::not_applicable("the first look: there is nothing to compare with yet"));
    };
    let summary = format!(
        "{} in {}",
        units::counted(delta.by as usize, "deadlock", "deadlocks"),
        units::seconds(delta.over.as_secs_f64())
    );
    Ok(Verdict::new(view.own.limits.judge(delta.by), summary).figure(delta.by).advice(
        "the server's log names both statements (`deadlock detected`); transactions that touch the same rows must do so in \
         the same order",
    ))
}
