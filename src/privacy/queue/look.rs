//! A short look into the queue: whether anybody waits there. It costs one connection and one question.

use std::sync::Arc;

use jiff::Timestamp;

use super::read::{milliseconds, number};
use super::{RECEIVED, REQUEST, TAKEN, named, unusable};
use crate::config::{Config, PrivacyPolicy};
use crate::database::Servers;
use crate::database::schema::Relation;
use crate::privacy::apply::Door as _;
use crate::privacy::fragment::Fragment;
use crate::privacy::ground::{GroundError, Purpose, Trouble};
use crate::privacy::session::Entrance;
use crate::run::Failure;

/// How many requests are counted.
const COUNTED: u32 = 1_000;

/// What waits in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many requests the ledger does not have yet; of more than a thousand only so many.
    pub requests: u64,
    /// When the oldest of them was received.
    pub oldest: Option<Timestamp>,
}

/// Looks into the policy's queue, and changes nothing.
///
/// # Errors
///
/// Where there is no such table, or it cannot be read.
pub async fn look(config: &Config, servers: &Arc<Servers>, policy: &PrivacyPolicy) -> Result<Waiting, Failure> {
    let queue = named(policy)?;
    let mut ground = Entrance::of(config, servers, policy, Purpose::Look).await?.open().await?;
    let dialect = ground.dialect();
    // The whole schema is not looked at for this: the search path finds what has none.
    let table = match &queue.table.schema {
        Some(schema) => dialect.table(&Relation { schema: schema.clone(), name: queue.table.name.clone() }),
        None => dialect.name(&queue.table.name),
    };
    let [request, received, taken] = [REQUEST, RECEIVED, TAKEN].map(|column| dialect.name(column));
    let mut question = Fragment::text("SELECT ");
    question.append(dialect.read(Fragment::text("count(*)"))).push(", ");
    question.append(dialect.read(Fragment::text(format!("min({})", dialect.milliseconds(RECEIVED)))));
    question.push(format!(
        " FROM (SELECT {received} FROM {table} WHERE {taken} IS NULL ORDER BY {request} LIMIT {COUNTED}) AS waiting"
    ));
    let question = question.finish(dialect.placeholder());
    let said = |error: GroundError| match error.kind {
        // A fixed question that is not understood: the table, or a column of it, is not there.
        Trouble::Unfit => unusable(policy, queue, &error.message),
        _ => Failure { message: format!("the queue `{}`: {error}", queue.table), ..Failure::from(error) },
    };
    ground.check_statement(&question).await.map_err(said)?;
    let rows = ground.ask(&question).await.map_err(said)?;
    let figure = |at: usize| rows.first().and_then(|row| row.get(at));
    let requests = figure(0).and_then(number).unwrap_or(0).unsigned_abs();
    Ok(Waiting { requests, oldest: figure(1).and_then(milliseconds) })
}
