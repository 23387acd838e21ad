//! Prepared transactions that nobody comes back for: they hold their locks and their snapshot, also over a restart.
//! <https://www.postgresql.org/docs/current/sql-prepare-transaction.html>

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::figure;
use crate::health::{PostgresView, Seen, Unseen, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::PreparedTransactions,
    about: "age of the oldest prepared transaction of this database",
    deep: false,
    warning: Some(600.0),
    critical: Some(3600.0),
    source: "a transaction manager resolves them within seconds; check_postgres (prepared_txns) warns from the first \
             second on",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

const ALLOWED: &str = "SELECT current_setting('max_prepared_transactions')::int8 AS most";
const PREPARED: &str = "SELECT gid, owner::text AS role,
        extract(epoch FROM clock_timestamp() - prepared)::float8 AS seconds
    FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared, gid";

async fn look(view: &mut PostgresView<'_>) -> Seen {
    if figure::<i64>(&view.row(ALLOWED).await?, "most")? == 0 {
        return Err(Unseen::not_applicable("max_prepared_transactions is 0"));
    }
    let mut found: Vec<(f64, String)> = Vec::new();
    for row in &view.rows(PREPARED).await? {
        let (gid, role, seconds): (String, String, f64) =
            (figure(row, "gid")?, figure(row, "role")?, figure(row, "seconds")?);
        if !view.own.exclude.leaves_out(&gid) {
            found.push((seconds, format!("{gid:?} of {role}, prepared {} ago", crate::units::seconds(seconds))));
        }
    }
    let oldest = found.first().map_or(0.0, |(seconds, _)| *seconds);
    let summary = match found.first() {
        Some((_, line)) => format!("{} prepared, the oldest {line}", found.len()),
        None => "no prepared transactions".to_owned(),
    };
    let evidence = found.into_iter().take(10).map(|(_, line)| line);
    Ok(Verdict::new(view.own.limits.judge(oldest), summary).figure(oldest).evidence(evidence).advice(
        "ask its transaction manager what became of it, then COMMIT PREPARED or ROLLBACK PREPARED with its identifier",
    ))
}
