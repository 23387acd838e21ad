//! WAL that waits to be archived, and whether archiving fails at the moment.
//! <https://www.postgresql.org/docs/current/continuous-archiving.html>

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::{figure, optional};
use crate::health::{PostgresView, Seen, Unseen, Verdict};
use crate::state::Status;

pub(super) const CHECK: Check = Check {
    name: CheckName::Archiving,
    about: "how long the oldest WAL segment has been waiting to be archived",
    deep: false,
    warning: Some(300.0),
    critical: Some(3600.0),
    source: "a segment is copied in seconds, and tried again every minute; an hour of lost WAL is more than point-in-time \
             recovery is for",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// Failing *now*: the last failure is younger than the last success. The counters alone remember failures of last year.
const ARCHIVER: &str = "SELECT current_setting('archive_mode') AS mode, archived_count, failed_count,
        last_archived_wal, last_failed_wal,
        extract(epoch FROM clock_timestamp() - last_archived_time)::float8 AS archived,
        extract(epoch FROM clock_timestamp() - last_failed_time)::float8 AS failed,
        extract(epoch FROM clock_timestamp() - stats_reset)::float8 AS counted
    FROM pg_stat_archiver";

const WAITING: &str = "SELECT count(*) AS segments,
        extract(epoch FROM clock_timestamp() - min(modification))::float8 AS oldest
    FROM pg_ls_archive_statusdir() WHERE name ~ '\\.ready$'";

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let row = view.row(ARCHIVER).await?;
    let mode: String = figure(&row, "mode")?;
    match (mode.as_str(), view.server.in_recovery) {
        ("off", _) => return Err(Unseen::not_applicable("archive_mode is off")),
        ("on", true) => return Err(Unseen::not_applicable("a standby archives only with archive_mode = always")),
        _ => {}
    }
    let ago = |column: &str| optional::<f64>(&row, column);
    let (archived, failed) = (ago("archived")?, ago("failed")?);
    let fails = failed.is_some_and(|failed| archived.is_none_or(|archived| failed < archived));
    let mut evidence = vec![format!(
        "{} segments archived, {} failures",
        figure::<i64>(&row, "archived_count")?,
        figure::<i64>(&row, "failed_count")?
    )];
    for (what, column, ago) in
        [("last archived", "last_archived_wal", archived), ("last failed", "last_failed_wal", failed)]
    {
        if let (Some(segment), Some(ago)) = (optional::<String>(&row, column)?, ago) {
            evidence.push(format!("{what}: {segment}, {} ago", crate::units::seconds(ago)));
        }
    }
    let (segments, oldest) = if view.has_role("pg_monitor").await? {
        let row = view.row(WAITING).await?;
        (figure::<i64>(&row, "segments")?, optional::<f64>(&row, "oldest")?.unwrap_or(0.0))
    } else if fails {
        // Since when cannot be seen; at the longest since the last success.
        (1, archived.or(ago("counted")?).unwrap_or(f64::INFINITY))
    } else {
        let why = "the folder of segments that wait to be archived is hidden from this role";
        return Err(Unseen::unknown(why).cure(super::MONITOR));
    };
    let status = view.own.limits.judge(oldest);
    let waits = format!("the oldest of {segments} waiting segments waits for {}", crate::units::seconds(oldest));
    let (status, summary) = match (fails, segments) {
        (true, _) => (status.max(Status::Warning), format!("archiving is failing; {waits}")),
        (false, 0) => (status, "no WAL segment waits to be archived".to_owned()),
        (false, _) => (status, waits),
    };
    Ok(Verdict::new(status, summary).figure(oldest).evidence(evidence).advice(
        "read the server's log for what archive_command (or archive_library) says; until it works again the server \
         keeps all WAL, and fills its disk",
    ))
}
