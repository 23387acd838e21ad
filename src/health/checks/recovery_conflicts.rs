//! Queries on a standby that were cancelled because replay could not wait for them any longer.
//! <https://www.postgresql.org/docs/current/hot-standby.html#HOT-STANDBY-CONFLICT>

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::figure;
use crate::health::{PostgresView, Seen, Unseen, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::RecoveryConflicts,
    about: "queries cancelled on a standby since the last look",
    deep: false,
    warning: Some(1.0),
    critical: Some(100.0),
    source: "each is an error that a user of the standby has seen",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// `confl_active_logicalslot` came with PostgreSQL 16 and concerns slots, not queries.
const CONFLICTS: &str = "SELECT confl_tablespace AS tablespace, confl_lock AS lock, confl_snapshot AS snapshot,
        confl_bufferpin AS bufferpin, confl_deadlock AS deadlock
    FROM pg_stat_database_conflicts WHERE datname = current_database()";

const KINDS: [&str; 5] = ["tablespace", "lock", "snapshot", "bufferpin", "deadlock"];

#[allow(clippy::cast_precision_loss, reason = "counters are below 2^53 for a long time")]
async fn look(view: &mut PostgresView<'_>) -> Seen {
    if !view.server.in_recovery {
        return Err(Unseen::not_applicable("not a standby"));
    }
    let row = view.row(CONFLICTS).await?;
    let (mut count, mut over, mut evidence) = (0.0, None, Vec::new());
    for kind in KINDS {
        let counter: i64 = figure(&row, kind)?;
        if let Some(delta) = view.own.advance("recovery_conflicts", kind, counter as f64).await? {
            count += delta.by;
            over = Some(delta.over);
            if delta.by > 0.0 {
                evidence.push(format!("{kind}: {}", delta.by));
            }
        }
    }
    let Some(over) = over else {
        return Err(Unseen::not_applicable("the first look at these counters: there is nothing to compare them with"));
    };
    let summary = format!(
        "{} cancelled within {}",
        crate::units::counted(count as usize, "query was", "queries were"),
        crate::units::seconds(over.as_secs_f64())
    );
    Ok(Verdict::new(view.own.limits.judge(count), summary).figure(count).evidence(evidence).advice(
        "raise max_standby_streaming_delay, or set hot_standby_feedback = on and accept that the primary keeps dead rows \
         for longer",
    ))
}
