//! The longest query that clients of this database have running.

use super::session::{longest, sessions};
use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::{PostgresView, Seen};

pub(super) const CHECK: Check = Check {
    name: CheckName::LongQueries,
    about: "the longest running query",
    deep: false,
    warning: Some(120.0),
    critical: Some(300.0),
    source: "check_postgres (query_time): 2 and 5 minutes; exclude the roles or applications of nightly reports",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// A walsender is active for ever, so only client backends count. Without pg_monitor the state, the type and all times of
/// other roles' sessions are NULL: they are counted as hidden. `usesysid` keeps the server's own processes out of that.
macro_rules! statement {
    ($query_id:literal) => {
        sessions!(
            $query_id,
            "a.query_start",
            "FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
                AND (a.state = 'active' AND a.backend_type = 'client backend'
                    OR a.backend_type IS NULL AND a.usesysid IS NOT NULL) ORDER BY seconds DESC"
        )
    };
}

const FROM_14: &str = statement!("a.query_id");
const BEFORE_14: &str = statement!("NULL");

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let rows = view.rows(if view.server.major >= 14 { FROM_14 } else { BEFORE_14 }).await?;
    let advice = "see whether it waits (wait event) or works; `SELECT pg_cancel_backend(pid)` ends it, and a \
                  statement_timeout for the role keeps it from coming back";
    longest(&view.own, &rows, "query", advice)
}
