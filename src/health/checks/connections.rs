//! Connections used, of those there are for ordinary roles.

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::figure;
use crate::health::{PostgresView, Seen, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::Connections,
    about: "connections used, of those there are for ordinary roles",
    deep: false,
    warning: Some(0.80),
    critical: Some(0.95),
    source: "check_postgres (backends): 90 % and 95 % of max_connections, which counts reserved ones too",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// `reserved_connections` came with PostgreSQL 16; `current_setting(…, true)` is NULL before.
const LIMIT: &str = "SELECT current_setting('max_connections')::int8
      - current_setting('superuser_reserved_connections')::int8
      - coalesce(current_setting('reserved_connections', true)::int8, 0) AS usable";

/// Without pg_monitor the state and the type of other roles' sessions are NULL, but they are there; `usesysid` keeps the
/// server's own processes out. Walsenders have a limit of their own.
const USED: &str =
    "SELECT coalesce(usename::text, '?') AS role, coalesce(state, 'hidden') AS state, count(*) AS sessions
    FROM pg_stat_activity a WHERE backend_type = 'client backend' OR backend_type IS NULL AND usesysid IS NOT NULL
        AND NOT EXISTS (SELECT FROM pg_stat_replication r WHERE r.pid = a.pid)
    GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2";

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let usable: i64 = figure(&view.row(LIMIT).await?, "usable")?;
    let rows = view.rows(USED).await?;
    let mut used = 0;
    let mut evidence = Vec::new();
    for row in &rows {
        let (role, state, sessions): (String, String, i64) =
            (figure(row, "role")?, figure(row, "state")?, figure(row, "sessions")?);
        used += sessions;
        evidence.push(format!("{sessions} × {role}, {state}"));
    }
    #[allow(clippy::cast_precision_loss, reason = "a few thousand at most")]
    let share = used as f64 / usable.max(1) as f64;
    Ok(Verdict::new(view.own.limits.judge(share), format!("{used} of {usable} connections are used"))
        .figure(share)
        .evidence(evidence)
        .advice(
            "find out who holds them (many `idle`: pools that are too large; use PgBouncer), before raising max_connections",
        ))
}
