//! Sessions that have opened a transaction and do nothing: they hold locks and keep vacuum from cleaning up.

use super::session::{longest, sessions};
use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::{PostgresView, Seen};

pub(super) const CHECK: Check = Check {
    name: CheckName::IdleInTransaction,
    about: "the longest idle transaction",
    deep: false,
    warning: Some(300.0),
    critical: Some(1800.0),
    source: "pgEdge's rules warn from 5 minutes; after half an hour dead rows and locks pile up on any busy table",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

macro_rules! statement {
    ($query_id:literal) => {
        sessions!(
            $query_id,
            "a.state_change",
            "FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
                AND (a.state IN ('idle in transaction', 'idle in transaction (aborted)')
                    OR a.backend_type IS NULL AND a.usesysid IS NOT NULL) ORDER BY seconds DESC"
        )
    };
}

const FROM_14: &str = statement!("a.query_id");
const BEFORE_14: &str = statement!("NULL");

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let rows = view.rows(if view.server.major >= 14 { FROM_14 } else { BEFORE_14 }).await?;
    let advice = "the application forgot to commit or roll back, or waits for something else meanwhile; `caretaker health \
                  terminate` ends such sessions, and idle_in_transaction_session_timeout does so by itself";
    longest(&view.own, &rows, "idle transaction", advice)
}
