//! Requests as they stand in the queue.

use std::sync::Arc;

use jiff::Timestamp;

use super::{BY_TRIGGER, REASON, RECEIVED, REQUEST, SUBJECT, TAKEN, named, open};
use crate::config::{Config, PrivacyPolicy};
use crate::database::Servers;
use crate::database::schema::Table;
use crate::privacy::erase::Person;
use crate::privacy::fragment::{Fragment, Scalar};
use crate::privacy::ground::{Ground, GroundError, Purpose};
use crate::privacy::session::Session;
use crate::run::Failure;

/// How many requests are read at once.
const BATCH: u32 = 100;

/// How many waiting requests are shown.
const SHOWN: usize = 1_000;

/// A request that the ledger does not have yet.
pub(super) struct Request {
    pub number: i64,
    pub subject: String,
    pub reason: Option<String>,
    /// `None`: it does not say so in a way that is understood.
    pub received: Option<Timestamp>,
    /// Whether the trigger wrote it down.
    pub by_trigger: bool,
}

/// The next requests after one of this number.
pub(super) async fn batch(ground: &mut dyn Ground, table: &Table, after: i64) -> Result<Vec<Request>, GroundError> {
    let dialect = ground.dialect();
    let name = |column: &str| dialect.name(column);
    let by_trigger = format!("CASE WHEN {} THEN 1 ELSE 0 END", name(BY_TRIGGER));
    let asked = [name(REQUEST), name(SUBJECT), name(REASON), dialect.milliseconds(RECEIVED), by_trigger];
    let mut question = Fragment::text("SELECT ");
    question.append(Fragment::join(asked.map(|one| dialect.read(Fragment::text(one))), ", "));
    question.push(format!(
        " FROM {} WHERE {} IS NULL AND {request} > {after} ORDER BY {request} LIMIT {BATCH}",
        dialect.table(&table.relation),
        name(TAKEN),
        request = name(REQUEST)
    ));
    let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
    Ok(rows.iter().filter_map(|row| request(row)).collect())
}

fn request(row: &[Scalar]) -> Option<Request> {
    let [number, subject, reason, received, by_trigger] = row else { return None };
    Some(Request {
        number: self::number(number)?,
        // What is no text of any kind names nobody.
        subject: subject.shown().unwrap_or_default(),
        reason: reason.shown(),
        received: milliseconds(received),
        by_trigger: self::number(by_trigger) == Some(1),
    })
}

/// A figure, however the database gives it.
pub(super) fn number(scalar: &Scalar) -> Option<i64> {
    match scalar {
        Scalar::Integer(number) => Some(*number),
        Scalar::Text(text) => text.parse().ok(),
        _ => None,
    }
}

/// An instant that was asked for in milliseconds.
pub(super) fn milliseconds(scalar: &Scalar) -> Option<Timestamp> {
    number(scalar).and_then(|ms| Timestamp::from_millisecond(ms).ok())
}

/// A request that waits, without saying who it is.
#[derive(Debug, Clone)]
pub struct Queued {
    /// What the ledger will call the person; `None`: it names nobody.
    pub subject_hmac: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When it was received.
    pub received: Timestamp,
}

/// The requests that wait in a policy's queue, the first thousand of them.
pub async fn queued(config: &Config, servers: &Arc<Servers>, policy: &PrivacyPolicy) -> Result<Vec<Queued>, Failure> {
    let mut session = Session::open(config, servers, policy, Purpose::Look).await?;
    let setting = session.seen.setting(policy, session.ground.as_ref());
    let table = open(&setting, named(policy)?)?;
    let (mut found, mut after) = (Vec::new(), i64::MIN);
    while found.len() < SHOWN {
        let requests = batch(session.ground.as_mut(), table, after).await?;
        let Some(last) = requests.last() else { break };
        after = last.number;
        for request in requests {
            let person = Person::find(session.ground.as_mut(), &setting, &request.subject).await;
            found.push(Queued {
                subject_hmac: person.ok().map(|person| person.hmac),
                reason: request.reason,
                received: request.received.unwrap_or(setting.now),
            });
        }
    }
    Ok(found)
}
