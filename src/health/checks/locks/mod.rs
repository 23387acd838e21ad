//! Who waits for a lock, for how long, and who stands at the head of the queue.

mod tree;

use super::session::{Session, sessions};
use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::{figure, optional};
use crate::health::{PostgresView, Seen, Unseen, Verdict};
use crate::units;
use tree::{Node, Tree};

pub(super) const CHECK: Check = Check {
    name: CheckName::Locks,
    about: "the longest wait for a lock, and who blocks whom",
    deep: false,
    warning: Some(60.0),
    critical: Some(300.0),
    source: "pgEdge's rules warn from 60 s; after 5 minutes the connections of a pool have usually all queued up",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// Those who wait in this database, and those they wait for, wherever these are. pg_locks and pg_blocking_pids() hide
/// nothing from anybody; names and states of other roles need pg_monitor. `$since`: pg_locks.waitstart is there since
/// PostgreSQL 14, and NULL for the first moment of a wait.
macro_rules! statement {
    ($query_id:literal, $waitstart:literal, $waits:literal) => {
        concat!(
            "WITH waiting AS (SELECT l.pid, ",
            $waitstart,
            " AS since, min(l.mode) AS mode, min(coalesce(l.relation::regclass::text, l.locktype)) AS object
                FROM pg_locks l WHERE NOT l.granted GROUP BY l.pid),
            blocked AS MATERIALIZED (SELECT w.*, pg_blocking_pids(w.pid) AS blockers
                FROM waiting w JOIN pg_stat_activity a USING (pid) WHERE a.datname = current_database()) ",
            sessions!(
                $query_id,
                "a.state_change",
                ", b.blockers, coalesce(b.mode || ' on ' || b.object, '') AS wanted, "
            ),
            $waits,
            "::float8 AS waits FROM pg_stat_activity a LEFT JOIN blocked b USING (pid)
            WHERE a.pid IN (SELECT pid FROM blocked UNION SELECT unnest(blockers) FROM blocked)"
        )
    };
}

const FROM_14: &str =
    statement!("a.query_id", "min(l.waitstart)", "coalesce(extract(epoch FROM clock_timestamp() - b.since), 0)");
const BEFORE_14: &str =
    statement!("NULL", "NULL::timestamptz", "extract(epoch FROM clock_timestamp() - a.state_change)");

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let rows = view.rows(if view.server.major >= 14 { FROM_14 } else { BEFORE_14 }).await?;
    let mut nodes = Vec::new();
    for row in &rows {
        let blockers: Option<Vec<i32>> = optional(row, "blockers")?;
        nodes.push(Node {
            session: Session::read(row)?,
            waits: optional::<f64>(row, "waits")?.filter(|_| blockers.is_some()),
            blockers: blockers.unwrap_or_default(),
            wanted: figure(row, "wanted")?,
        });
    }
    let tree = Tree::new(nodes);
    let exclude = &view.own.exclude;
    let judged: Vec<&Node> = tree
        .waiting()
        .filter(|node| !tree.is_our_doing(node))
        .filter(|node| !exclude.leaves_out(&node.session.role) && !exclude.leaves_out(&node.wanted_object()))
        .collect();
    if judged.iter().any(|node| node.waits.is_none()) {
        let why = "somebody waits for a lock, but since when is hidden from this role";
        return Err(Unseen::unknown(why).cure(super::MONITOR));
    }
    let longest = judged.iter().filter_map(|node| node.waits).fold(0.0, f64::max);
    let summary = match judged.len() {
        0 => "nobody waits for a lock".to_owned(),
        1 => format!("1 session waits for a lock, for {}", units::seconds(longest)),
        several => format!("{several} sessions wait for locks, the longest for {}", units::seconds(longest)),
    };
    Ok(Verdict::new(view.own.limits.judge(longest), summary)
        .figure(longest)
        .evidence(super::listing::few(tree.lines()))
        .advice(
            "the session at the head of the tree holds up the others: let it finish, or end it (`SELECT \
             pg_cancel_backend(pid)`, `caretaker health terminate` if it is idle); schema changes want a lock_timeout",
        ))
}
