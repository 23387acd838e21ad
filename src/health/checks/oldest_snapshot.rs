//! Who keeps dead rows from being removed: the oldest snapshot, and what holds it. A session, a replication slot, a
//! prepared transaction, or a standby through `hot_standby_feedback`.
//! <https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-SPACE-RECOVERY>

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::{figure, optional};
use crate::health::{PostgresView, Seen, Unseen, Verdict};
use crate::state::Status;

pub(super) const CHECK: Check = Check {
    name: CheckName::OldestSnapshot,
    about: "how many transactions the oldest snapshot is behind, and who holds it",
    deep: false,
    warning: Some(20_000_000.0),
    critical: Some(100_000_000.0),
    source: "a tenth and a half of autovacuum_freeze_max_age's default, 200 million, from which on vacuums are forced \
             and cannot freeze",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// Snapshots of sessions in other databases do not hold back this one's rows. A walsender's `backend_xmin` is what its
/// standby feeds back. Slots hold `xmin` (of a standby) or `catalog_xmin` (logical, for the catalogue alone).
const HOLDERS: &str = "SELECT * FROM (
    SELECT CASE backend_type WHEN 'walsender' THEN 'standby' ELSE 'session' END AS kind,
        coalesce(application_name, '') AS name, coalesce(usename::text, '?') AS role, pid,
        coalesce(state, '?') AS state, age(backend_xmin)::int8 AS behind,
        extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds
    FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid()
        AND (datname = current_database() OR datname IS NULL OR backend_type = 'walsender')
    UNION ALL
    SELECT 'slot', slot_name::text, '', active_pid, CASE WHEN active THEN 'active' ELSE 'inactive' END,
        greatest(age(xmin), age(catalog_xmin))::int8, NULL
    FROM pg_replication_slots WHERE xmin IS NOT NULL OR catalog_xmin IS NOT NULL
    UNION ALL
    SELECT 'prepared transaction', gid, owner::text, NULL, 'prepared', age(transaction)::int8,
        extract(epoch FROM clock_timestamp() - prepared)::float8
    FROM pg_prepared_xacts WHERE database = current_database()) AS holders
    ORDER BY behind DESC, kind, name";

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let mut evidence = Vec::new();
    let mut oldest: Option<(i64, String)> = None;
    for row in &view.rows(HOLDERS).await? {
        let (kind, name, role): (String, String, String) =
            (figure(row, "kind")?, figure(row, "name")?, figure(row, "role")?);
        let (state, behind): (String, i64) = (figure(row, "state")?, figure(row, "behind")?);
        let since = optional::<f64>(row, "seconds")?.map(|seconds| format!(" for {}", crate::units::seconds(seconds)));
        let pid = optional::<i32>(row, "pid")?.map(|pid| format!(", pid {pid}"));
        let by = if role.is_empty() { String::new() } else { format!(" of {role}") };
        let holder = format!("{kind} {name:?}{by}{}, {state}{}", pid.unwrap_or_default(), since.unwrap_or_default());
        let ours = kind == "session" && name.starts_with("caretaker");
        let note = if ours { " (Caretaker's own, not judged)" } else { "" };
        if evidence.len() < 10 {
            evidence.push(format!("{behind} transactions behind: {holder}{note}"));
        }
        if oldest.is_none() && !ours && !view.own.exclude.leaves_out(&name) {
            oldest = Some((behind, holder));
        }
    }
    let (behind, summary) = match oldest {
        Some((behind, holder)) => (behind, format!("{holder} holds a snapshot {behind} transactions back")),
        None => (0, "nobody holds an old snapshot".to_owned()),
    };
    #[allow(clippy::cast_precision_loss, reason = "below 2^32")]
    let status = view.own.limits.judge(behind as f64);
    if status == Status::Ok && !view.has_role("pg_read_all_stats").await? {
        let why = "the snapshots of other roles' sessions are hidden from this role";
        return Err(Unseen::unknown(why).cure(super::MONITOR));
    }
    #[allow(clippy::cast_precision_loss, reason = "below 2^32")]
    let verdict = Verdict::new(status, summary).figure(behind as f64).evidence(evidence);
    Ok(verdict.advice(
        "no VACUUM can remove rows that died since: end that session, drop the slot if nobody will come back for it, \
         COMMIT PREPARED or ROLLBACK PREPARED, or end the query on the standby",
    ))
}
