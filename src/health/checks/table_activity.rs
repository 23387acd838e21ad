//! What is written where, and when it was last vacuumed. Never more than OK: there is nothing to compare it with.

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::{figure, optional};
use crate::health::{PostgresView, Seen, Verdict};
use crate::state::Status;

pub(super) const CHECK: Check = Check {
    name: CheckName::TableActivity,
    about: "what is written where; never more than OK",
    deep: false,
    warning: None,
    critical: None,
    source: "it informs, and does not judge",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

const TABLES: &str = "SELECT format('%I.%I', schemaname, relname) AS name, n_tup_ins AS inserted, n_tup_upd AS updated,
        n_tup_del AS deleted, n_tup_hot_upd AS hot, n_dead_tup AS dead,
        extract(epoch FROM clock_timestamp() - greatest(last_vacuum, last_autovacuum))::float8 AS vacuumed,
        extract(epoch FROM clock_timestamp() - greatest(last_analyze, last_autoanalyze))::float8 AS analyzed
    FROM pg_stat_user_tables WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
    ORDER BY n_tup_ins + n_tup_upd + n_tup_del DESC, 1";

#[allow(clippy::cast_precision_loss, reason = "a count of tables")]
async fn look(view: &mut PostgresView<'_>) -> Seen {
    let (mut evidence, mut tables) = (Vec::new(), 0_u32);
    for row in &view.rows(TABLES).await? {
        let name: String = figure(row, "name")?;
        if view.own.exclude.leaves_out(&name) {
            continue;
        }
        tables += 1;
        if evidence.len() == 10 {
            continue;
        }
        let count = |column: &str| figure::<i64>(row, column);
        let ago = |what: &str, column: &str| -> Result<String, crate::health::Unseen> {
            Ok(optional::<f64>(row, column)?.map_or_else(
                || format!("never {what}"),
                |seconds| format!("{what} {} ago", crate::units::seconds(seconds)),
            ))
        };
        evidence.push(format!(
            "{name}: {} inserted, {} updated ({} in place), {} deleted, {} dead; {}, {}",
            count("inserted")?,
            count("updated")?,
            count("hot")?,
            count("deleted")?,
            count("dead")?,
            ago("vacuumed", "vacuumed")?,
            ago("analyzed", "analyzed")?
        ));
    }
    let summary = match tables {
        0 => "nothing was written since the statistics began".to_owned(),
        1 => "1 table was written to since the statistics began".to_owned(),
        _ => format!("{tables} tables were written to since the statistics began"),
    };
    Ok(Verdict::new(Status::Ok, summary).figure(f64::from(tables)).evidence(evidence))
}
