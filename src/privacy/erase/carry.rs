//! One step of an erasure, carried out: its rows in transactions of bounded size, until none is left.

use std::time::Duration;

use super::steps::Step;
use crate::privacy::fragment::Fragment;
use crate::privacy::ground::{Gate, Ground, GroundError, Trouble};
use crate::run::Failure;
use crate::state::{State, StateError};

/// Rows of one transaction: so few that nobody waits long for them.
const ROWS: u64 = 1_000;

/// How often in a row a transaction may be too slow or locked out.
const PATIENCE: u32 = 8;

/// How long one statement may take: without an index it reads the whole table.
const LONGEST: Duration = Duration::from_secs(120);

/// What came of a step.
pub(super) enum Carried {
    /// So many rows are gone or changed, and none is left.
    Done(u64),
    /// The holds have changed since they were looked at.
    HoldsChanged(u64),
}

/// Where it is written down how many rows are gone or changed.
pub(super) struct Record<'a> {
    pub(super) state: &'a State,
    /// `None`: a copy is erased again, of which the ledger keeps no count.
    pub(super) erasure: Option<&'a str>,
    pub(super) place: String,
}

impl Record<'_> {
    async fn add(&self, rows: u64) -> Result<(), StateError> {
        match self.erasure {
            Some(erasure) => self.state.advance_erasure(erasure, &self.place, rows).await,
            None => Ok(()),
        }
    }
}

/// Carries a step out. `expected`: how many rows it was planned for.
pub(super) async fn out(
    ground: &mut dyn Ground,
    step: &Step<'_>,
    expected: u64,
    gate: &dyn Gate,
    record: &Record<'_>,
) -> Result<Carried, Failure> {
    let (mut rows, mut patience, mut done) = (ROWS, PATIENCE, 0);
    loop {
        let statement = statement(ground, step, rows)?;
        match ground.change(&statement.finish(ground.dialect().placeholder()), LONGEST, gate).await {
            Ok(Some(0)) => return Ok(Carried::Done(done)),
            Ok(Some(changed)) => {
                patience = PATIENCE;
                done += changed;
                record.add(changed).await?;
                // A trigger that puts back what was there would keep this going for ever.
                if done > expected.saturating_mul(2) + 10 * ROWS {
                    return Err(error(format!(
                        "rows of `{}` come back after they are {}",
                        step.table.relation,
                        step.action()
                    ))
                    .into());
                }
            }
            Ok(None) => return Ok(Carried::HoldsChanged(done)),
            Err(error) if error.kind == Trouble::Slow && patience > 0 => {
                patience -= 1;
                rows = (rows / 2).max(1);
                tokio::time::sleep(Duration::from_millis(100) * (PATIENCE - patience)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn statement(ground: &dyn Ground, step: &Step<'_>, rows: u64) -> Result<Fragment, GroundError> {
    let dialect = ground.dialect();
    let table = dialect.table(&step.table.relation);
    let identity = dialect.identity(step.table).map_err(|unfit| error(unfit.0))?;
    let mut statement = match step.assignments.as_slice() {
        [] => Fragment::text(format!("DELETE FROM {table}")),
        assignments => {
            let set = assignments.iter().map(|one| {
                let mut set = Fragment::text(format!("{} = ", dialect.name(&one.column)));
                set.append(one.value.clone());
                set
            });
            let mut statement = Fragment::text(format!("UPDATE {table} SET "));
            statement.append(Fragment::join(set, ", "));
            statement
        }
    };
    // What was changed by somebody else meanwhile is looked at again by the outer condition.
    statement.push(" WHERE ").append(step.undone.clone());
    statement.push(format!(" AND ({identity}) IN (SELECT {identity} FROM {table} WHERE ")).append(step.undone.clone());
    statement.push(format!(" LIMIT {rows})"));
    Ok(statement)
}

fn error(message: String) -> GroundError {
    GroundError { kind: Trouble::Other, message, hint: None }
}
