//! Pages of this database, and of what all databases share, whose checksum was wrong when they were read.

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::{figure, optional};
use crate::health::{PostgresView, Seen, Unseen, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::ChecksumFailures,
    about: "pages whose checksum was wrong",
    deep: false,
    warning: Some(1.0),
    critical: Some(1.0),
    source: "one is data lost on disk or in memory; PostgreSQL's manual, Data Checksums",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// The row without a name stands for what all databases share. NULL: checksums are off.
const FAILURES: &str =
    "SELECT current_setting('data_checksums') = 'on' AS enabled, sum(checksum_failures)::int8 AS failures,
        max(checksum_last_failure)::text AS last, max(stats_reset)::text AS since
    FROM pg_stat_database WHERE datname = current_database() OR datid = 0";

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let row = view.row(FAILURES).await?;
    if !figure::<bool>(&row, "enabled")? {
        let why =
            "data checksums are off: damage on disk goes unnoticed (`pg_checksums --enable`, with the server stopped)";
        return Err(Unseen::not_applicable(why));
    }
    let failures: i64 = figure(&row, "failures")?;
    #[allow(clippy::cast_precision_loss, reason = "a counter of rare events")]
    let figure = failures as f64;
    let last: Option<String> = optional(&row, "last")?;
    let since: Option<String> = optional(&row, "since")?;
    let evidence = [last.map(|at| format!("the last one at {at}")), since.map(|at| format!("counted since {at}"))];
    let summary = match failures {
        0 => "no checksum was wrong".to_owned(),
        _ => format!("{failures} times a page's checksum was wrong"),
    };
    Ok(Verdict::new(view.own.limits.judge(figure), summary).figure(figure).evidence(evidence.into_iter().flatten()).advice(
        "keep the backups from before it; the server's log names file and block; test disk and memory; restore beside it and \
         compare. The count stays until `SELECT pg_stat_reset()`",
    ))
}
