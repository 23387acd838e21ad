//! Replication slots: how much WAL each holds back, whether anybody uses it, and whether it is still good for anything.

use sqlx::postgres::PgRow;

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::{figure, optional};
use crate::health::{PostgresView, Seen, Unseen, Verdict};
use crate::state::Status;
use crate::units;

pub(super) const CHECK: Check = Check {
    name: CheckName::ReplicationSlots,
    about: "WAL that replication slots hold back, and slots that nobody uses",
    deep: false,
    warning: Some(1024.0 * 1024.0 * 1024.0),
    critical: Some(10.0 * 1024.0 * 1024.0 * 1024.0),
    source: "max_wal_size is 1 GiB by default; a slot without a consumer holds WAL until the disk is full, unless \
             max_slot_wal_keep_size is set",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// `$synced`: since 17 a standby holds copies of its primary's slots, which nobody uses there. `$conflicting`: since 16.
/// `$reason`: since 17; what is invalidated, for whatever reason, has the `wal_status` of what has lost its WAL.
macro_rules! statement {
    ($synced:literal, $conflicting:literal, $reason:literal) => {
        concat!(
            "SELECT slot_name::text AS name, slot_type, coalesce(plugin, '') AS plugin, active, wal_status,
                safe_wal_size::float8 AS safe, ",
            $synced,
            " AS synced, coalesce(",
            $conflicting,
            ", false) AS conflicting, ",
            $reason,
            " AS reason, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_lsn() END, restart_lsn)::float8 AS bytes
            FROM pg_replication_slots WHERE NOT temporary ORDER BY bytes DESC NULLS LAST, 1"
        )
    };
}

const FROM_17: &str = statement!("synced", "conflicting", "nullif(invalidation_reason, 'wal_removed')");
const IN_16: &str = statement!("false", "conflicting", "NULL::text");
const BEFORE_16: &str = statement!("false", "NULL::bool", "NULL::text");

/// One slot.
struct Slot {
    name: String,
    kind: String,
    /// What is wrong with it whatever it holds.
    trouble: Option<(Status, String)>,
    bytes: f64,
}

impl Slot {
    fn read(row: &PgRow) -> Result<Self, Unseen> {
        let (kind, plugin): (String, String) = (figure(row, "slot_type")?, figure(row, "plugin")?);
        let status: Option<String> = optional(row, "wal_status")?;
        let (active, synced, conflicting): (bool, bool, bool) =
            (figure(row, "active")?, figure(row, "synced")?, figure(row, "conflicting")?);
        let critical = |why: &str| Some((Status::Critical, why.to_owned()));
        let trouble = match (optional::<String>(row, "reason")?, status.as_deref()) {
            (Some(reason), _) => critical(&format!("invalidated ({reason}): what used it must be made anew")),
            _ if conflicting => critical("invalidated by a conflict with recovery"),
            (_, Some("lost")) => critical("its WAL is gone: drop it, and make anew what used it"),
            (_, Some("unreserved")) => critical("about to lose its WAL"),
            // Never used, it holds nothing: wal_status is NULL until WAL is reserved.
            _ if !active && !synced => Some((Status::Warning, "nobody uses it".to_owned())),
            _ => None,
        };
        let kind = if plugin.is_empty() { kind } else { format!("{kind}, {plugin}") };
        Ok(Self {
            name: figure(row, "name")?,
            kind,
            trouble,
            bytes: optional::<f64>(row, "bytes")?.unwrap_or(0.0).max(0.0),
        })
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): holds {}", self.name, self.kind, units::bytes(self.bytes))?;
        self.trouble.as_ref().map_or(Ok(()), |(_, why)| write!(f, ", {why}"))
    }
}

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let rows = view.rows(match view.server.major {
        17.. => FROM_17,
        16 => IN_16,
        _ => BEFORE_16,
    });
    let mut slots = rows.await?.iter().map(Slot::read).collect::<Result<Vec<_>, _>>()?;
    slots.retain(|slot| !view.own.exclude.leaves_out(&slot.name));
    if slots.is_empty() {
        return Err(Unseen::not_applicable("there are no replication slots"));
    }
    let most = slots.iter().map(|slot| slot.bytes).fold(0.0, f64::max);
    let worst = slots.iter().filter_map(|slot| slot.trouble.as_ref().map(|(status, why)| (*status, &slot.name, why)));
    let worst = worst.max_by_key(|(status, ..)| *status);
    let judged = view.own.limits.judge(most);
    let status = worst.map_or(judged, |(status, ..)| status.max(judged));
    let summary = match worst {
        Some((_, name, why)) => format!("{name}: {why}; {} held back at most", units::bytes(most)),
        None => {
            #[allow(clippy::cast_precision_loss, reason = "a few slots")]
            let slots = units::counted(slots.len(), "slot", "slots");
            format!("{slots}, {} held back at most", units::bytes(most))
        }
    };
    Ok(Verdict::new(status, summary).figure(most).evidence(slots.iter().map(ToString::to_string)).advice(
        "bring its consumer back, or drop the slot (`SELECT pg_drop_replication_slot('…')`) if there is none any more; \
         max_slot_wal_keep_size bounds what it may hold",
    ))
}
