//! Dead rows that autovacuum should have come to: beyond the threshold at which it begins by its own rules.
//! <https://www.postgresql.org/docs/current/routine-vacuuming.html#AUTOVACUUM>

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::{figure, optional};
use crate::health::{PostgresView, Seen, Verdict};
use crate::state::Status;

pub(super) const CHECK: Check = Check {
    name: CheckName::Autovacuum,
    about: "dead rows that autovacuum has not come to, as a share of a table's rows",
    deep: false,
    warning: Some(0.40),
    critical: Some(0.70),
    source: "autovacuum begins at 20 % of the living, a sixth of all; twice to four times of that means that it does \
             not come, or cannot remove them",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// Below this many, a share says nothing.
const FEW: i64 = 1_000;

/// A table's own settings go before the server's. `autovacuum_vacuum_max_threshold` came with PostgreSQL 18.
const BEHIND: &str = "WITH options AS (
        SELECT c.oid, c.reltuples, c.relkind,
            coalesce((SELECT option_value FROM pg_options_to_table(c.reloptions)
                WHERE option_name = 'autovacuum_vacuum_threshold'),
                current_setting('autovacuum_vacuum_threshold'))::float8 AS threshold,
            coalesce((SELECT option_value FROM pg_options_to_table(c.reloptions)
                WHERE option_name = 'autovacuum_vacuum_scale_factor'),
                current_setting('autovacuum_vacuum_scale_factor'))::float8 AS factor,
            coalesce((SELECT option_value FROM pg_options_to_table(c.reloptions)
                WHERE option_name = 'autovacuum_enabled'), 'true')::bool AS enabled
        FROM pg_class c WHERE c.relkind IN ('r', 'm'))
    SELECT format('%I.%I', s.schemaname, s.relname) AS name, s.n_dead_tup AS dead, s.n_live_tup AS live, o.enabled,
        extract(epoch FROM clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum))::float8 AS vacuumed,
        EXISTS (SELECT FROM pg_stat_progress_vacuum p WHERE p.relid = s.relid) AS busy
    FROM pg_stat_user_tables s JOIN options o ON o.oid = s.relid
    WHERE s.n_dead_tup > least(o.threshold + o.factor * greatest(o.reltuples, 0),
        coalesce(nullif(current_setting('autovacuum_vacuum_max_threshold', true)::float8, -1), 'infinity'))
    ORDER BY s.n_dead_tup::float8 / greatest(s.n_live_tup + s.n_dead_tup, 1) DESC, s.n_dead_tup DESC, 1";

const RUNS: &str = "SELECT current_setting('autovacuum')::bool AS autovacuum,
    current_setting('track_counts')::bool AS counts";

#[allow(clippy::cast_precision_loss, reason = "rows are far below 2^53")]
async fn look(view: &mut PostgresView<'_>) -> Seen {
    let row = view.row(RUNS).await?;
    let (autovacuum, counts): (bool, bool) = (figure(&row, "autovacuum")?, figure(&row, "counts")?);
    let (mut worst, mut behind, mut evidence) = (None, 0, Vec::new());
    for row in &view.rows(BEHIND).await? {
        let (name, dead, live): (String, i64, i64) = (figure(row, "name")?, figure(row, "dead")?, figure(row, "live")?);
        if dead < FEW || view.own.exclude.leaves_out(&name) {
            continue;
        }
        let share = dead as f64 / (live + dead) as f64;
        let vacuumed = optional::<f64>(row, "vacuumed")?.map_or_else(
            || "never vacuumed".to_owned(),
            |seconds| format!("vacuumed {} ago", crate::units::seconds(seconds)),
        );
        let off = if figure::<bool>(row, "enabled")? { "" } else { ", autovacuum is off for it" };
        let busy = if figure::<bool>(row, "busy")? { ", being vacuumed now" } else { "" };
        behind += 1;
        if evidence.len() < 10 {
            evidence.push(format!("{name}: {dead} dead rows beside {live} living, {vacuumed}{off}{busy}"));
        }
        worst.get_or_insert((share, name));
    }
    let (share, summary) = match worst {
        Some((share, name)) => (
            share,
            match behind {
                1 => format!("{name} has more dead rows than autovacuum leaves: {}", units(share)),
                _ => format!(
                    "{behind} tables have more dead rows than autovacuum leaves; of {name} it is {}",
                    units(share)
                ),
            },
        ),
        None => (0.0, "autovacuum keeps up".to_owned()),
    };
    let status = view.own.limits.judge(share);
    let (status, summary) = match (autovacuum, counts) {
        (true, true) => (status, summary),
        (false, _) => (status.max(Status::Warning), format!("autovacuum is off for the whole server; {summary}")),
        (_, false) => (status.max(Status::Warning), "track_counts is off, so autovacuum never runs".to_owned()),
    };
    Ok(Verdict::new(status, summary).figure(share).evidence(evidence).advice(
        "VACUUM those tables now; then see whether an old snapshot is in the way (check oldest_snapshot), whether \
         autovacuum is off for them, or lower autovacuum_vacuum_cost_delay and raise autovacuum_max_workers",
    ))
}

fn units(share: f64) -> String {
    crate::units::share(share)
}
