//! What the ages of transaction ids and of multixacts have in common.

use crate::health::view::figure;
use crate::health::{PostgresView, Seen, Unseen, Verdict};

/// Both are 32 bits wide, and compared modulo half of that.
const THERE_ARE: f64 = 2_147_483_648.0;

/// Which of them.
pub(super) struct What {
    pub name: &'static str,
    /// Databases with their ages, the oldest first. Those without connections (`template0`) age as well.
    pub databases: &'static str,
    /// The same of this database's tables.
    pub tables: &'static str,
}

pub(super) async fn look(view: &mut PostgresView<'_>, what: &'static What) -> Seen {
    let mut databases: Vec<(String, i64)> = Vec::new();
    for row in &view.rows(what.databases).await? {
        databases.push((figure(row, "name")?, figure(row, "age")?));
    }
    databases.retain(|(name, _)| !view.own.exclude.leaves_out(name));
    let Some((oldest, age)) = databases.first().cloned() else {
        return Err(Unseen::not_applicable("every database is excluded"));
    };
    let mut evidence: Vec<String> =
        databases.iter().take(5).map(|(name, age)| format!("database {name}: {age} old")).collect();
    for row in &view.rows(what.tables).await? {
        let (name, age): (String, i64) = (figure(row, "name")?, figure(row, "age")?);
        evidence.push(format!("table {name} of {}: {age} old", view.server.database));
    }
    #[allow(clippy::cast_precision_loss, reason = "below 2^32")]
    let share = age as f64 / THERE_ARE;
    let summary = format!("the oldest {} is {age} old, in database {oldest}", what.name);
    Ok(Verdict::new(view.own.limits.judge(share), summary).figure(share).evidence(evidence).advice(
        "autovacuum does not come to freezing: look for what holds the oldest snapshot (check oldest_snapshot), for \
         tables with autovacuum off, and run VACUUM (FREEZE) on the oldest tables",
    ))
}
