//! What still matches a rule after it was applied, and why: what the certificate says of the rows that are left.

use serde::{Deserialize, Serialize};

use super::Application;
use crate::privacy::fragment::{Fragment, Scalar};
use crate::privacy::ground::{Ground, GroundError};
use crate::privacy::plan::{Ready, Resolved, left};
use crate::state::Hold;

/// Holds counted with one look at the table.
const TOGETHER: usize = 50;

/// Rows that match a rule after it was applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residual {
    /// How many.
    pub rows: u64,
    /// Of those: held.
    pub held: u64,
    /// Of those: kept, because rows refer to them.
    pub kept_for_children: u64,
    /// The rest: they came, or came to match, while it worked, or a trigger of the server kept them.
    pub left: u64,
    /// Which hold keeps how many; a row can be held by several.
    pub held_by: Vec<HeldBy>,
}

/// A hold that was respected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBy {
    /// Its id.
    pub hold: String,
    /// Why it was put.
    pub reason: String,
    /// How many rows it keeps.
    pub rows: u64,
}

/// Searches again.
pub(super) async fn search(
    application: &Application<'_>,
    ground: &mut dyn Ground,
    ready: &Ready<'_>,
    holds: &[Hold],
) -> Result<Residual, GroundError> {
    let (setting, resolved) = (application.setting, &ready.resolved);
    let held = setting.held(resolved.table, resolved.goes(), holds).0;
    let left = left(ground, resolved, held.as_ref()).await?;
    if held.is_none() && resolved.guards.is_empty() {
        return Ok(Residual { rows: left, left, ..Residual::default() });
    }
    let of_table: Vec<(&Hold, Fragment)> = holds
        .iter()
        .filter_map(|hold| Some((hold, setting.held(resolved.table, resolved.goes(), std::slice::from_ref(hold)).0?)))
        .collect();
    let all = [None].into_iter().chain(held.as_ref().map(Some)).collect();
    let figures = counted(ground, resolved, all).await?;
    let figure = |at: usize| figures.get(at).copied().unwrap_or(0);
    let mut residual = Residual { rows: figure(0), held: figure(1), left, ..Residual::default() };
    for chunk in of_table.chunks(TOGETHER) {
        let figures = counted(ground, resolved, chunk.iter().map(|(_, condition)| Some(condition)).collect()).await?;
        let kept = chunk.iter().zip(figures).filter(|(_, rows)| *rows > 0);
        residual.held_by.extend(kept.map(|((hold, _), rows)| HeldBy {
            hold: hold.id.clone(),
            reason: hold.reason.clone(),
            rows,
        }));
    }
    residual.kept_for_children = residual.rows.saturating_sub(residual.held + residual.left);
    Ok(residual)
}

/// How many of the rows that match there are of which each of these is true, with one look at the table.
async fn counted(
    ground: &mut dyn Ground,
    resolved: &Resolved<'_>,
    conditions: Vec<Option<&Fragment>>,
) -> Result<Vec<u64>, GroundError> {
    let dialect = ground.dialect();
    let count = |condition: Option<&Fragment>| {
        let mut count = Fragment::text("count(*)");
        if let Some(condition) = condition {
            count.push(" FILTER (WHERE coalesce(").append(condition.clone()).push(", false))");
        }
        dialect.read(count)
    };
    let mut question = Fragment::text("SELECT ");
    question.append(Fragment::join(conditions.into_iter().map(count), ", "));
    question.push(format!(" FROM {} WHERE ", dialect.table(&resolved.table.relation)));
    question.append(resolved.candidates(None));
    let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
    Ok(rows.first().into_iter().flatten().map(number).collect())
}

fn number(value: &Scalar) -> u64 {
    value.shown().and_then(|text| text.parse().ok()).unwrap_or(0)
}
