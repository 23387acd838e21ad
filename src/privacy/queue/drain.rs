//! The queue, drained: each request goes into the ledger first, then the person is erased as by `privacy erase`, and what
//! stands in the queue of them goes with the rest. Cut off anywhere, the next time finds the same request and comes to the
//! same end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::read::{Request, batch};
use super::{BY_TRIGGER, SUBJECT, TAKEN, is_paused, open};
use crate::database::schema::{Relation, Table};
use crate::privacy::erase::{Asked, Erasing, Person, tidy};
use crate::privacy::fragment::Fragment;
use crate::privacy::ground::Gate;
use crate::privacy::plan::Setting;
use crate::privacy::session::Session;
use crate::run::{Failure, RunContext};
use crate::state::{Erasure, ErasureState, LogKind};

/// How long a statement on the queue may take.
const LONGEST: Duration = Duration::from_secs(30);

/// For how long people are taken from the queue: then others get their turn under the policy's lease, and the next look finds
/// who is left.
const TURN: Duration = Duration::from_secs(600);

/// Why somebody is erased whose row the application deleted.
const DELETED: &str = "the application deleted their row";

/// What draining a queue has come to, in people.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Drained {
    /// Erased.
    pub erased: u64,
    /// Kept by a hold.
    pub deferred: u64,
    /// Those whose erasure did not come to its end.
    pub failed: u64,
    /// Those who were erased before, or whose row is there again.
    pub dropped: u64,
    /// What went wrong, and with whom the ledger can tell.
    pub problems: Vec<String>,
}

/// Drains the policy's queue; nothing where it has none.
///
/// # Errors
///
/// When the queue cannot be used, or when trying again may help: what is left in it is found the next time.
pub async fn drain(erasing: &Erasing<'_>, session: &mut Session, context: &RunContext) -> Result<Drained, Failure> {
    let Some(queue) = super::of(erasing.policy) else { return Ok(Drained::default()) };
    let Session { seen, ground, .. } = &*session;
    let table = open(&seen.setting(erasing.policy, ground.as_ref()), queue)?.clone();
    let mut draining = Draining { erasing, table, drained: Drained::default(), emptied: BTreeSet::new() };
    let done = draining.all(session, context).await;
    let Draining { drained, emptied, .. } = draining;
    tidy(session.ground.as_mut(), emptied).await;
    done.map(|()| drained)
}

struct Draining<'e> {
    erasing: &'e Erasing<'e>,
    table: Table,
    drained: Drained,
    /// The tables of which rows are gone.
    emptied: BTreeSet<Relation>,
}

impl Draining<'_> {
    async fn all(&mut self, session: &mut Session, context: &RunContext) -> Result<(), Failure> {
        let (mut after, until) = (i64::MIN, Instant::now() + TURN);
        loop {
            let requests = batch(session.ground.as_mut(), &self.table, after).await?;
            let Some(last) = requests.last() else { return Ok(()) };
            after = last.number;
            for of_person in by_person(requests) {
                if context.cancel.is_cancelled() {
                    return Err(Failure::new("cancelled; what is left in the queue is found the next time"));
                }
                if Instant::now() >= until || is_paused(self.erasing.policy).await {
                    return Ok(());
                }
                context.progress.beat();
                self.person(session, &of_person).await?;
            }
        }
    }

    /// All that was asked for of one person.
    async fn person(&mut self, session: &mut Session, requests: &[Request]) -> Result<(), Failure> {
        let Some(first) = requests.iter().min_by_key(|request| (request.received, request.number)) else {
            return Ok(());
        };
        let setting = session.seen.setting(self.erasing.policy, session.ground.as_ref());
        let person = match Person::find(session.ground.as_mut(), &setting, &first.subject).await {
            Ok(person) => person,
            Err(failure) if failure.retryable => return Err(failure),
            Err(_) => {
                self.failed(format!(
                    "request {} of `{}` names nobody whom `{}` could hold",
                    first.number,
                    self.table.relation,
                    setting.policy.subject.as_ref().map(|subject| subject.table.to_string()).unwrap_or_default()
                ));
                return Ok(());
            }
        };
        if person.is_tombstone(&setting) {
            return self.keep(session, &person, "the tombstone is nobody", false).await;
        }
        let earlier = self.erasing.state.erasures_of(&self.erasing.policy.name, &person.hmac).await?;
        let open = earlier.iter().find(|erasure| erasure.state != ErasureState::Completed);
        let by_trigger = requests.iter().all(|request| request.by_trigger);
        if open.is_none() && by_trigger && is_there(session, self.erasing, &person).await? {
            return self.keep(session, &person, "their row was deleted, and is there again", true).await;
        }
        if open.is_none() && !earlier.is_empty() && self.is_done(session, &person).await {
            self.drained.dropped += 1;
            return self.forget(session, &person, false).await;
        }
        let reason = first.reason.as_deref().or(by_trigger.then_some(DELETED));
        let asked = Asked { reason, received: first.received };
        let erasure = self.erasing.receive(session, &person, asked).await?;
        self.erase(session, &person, &erasure).await
    }

    async fn erase(&mut self, session: &mut Session, person: &Person, erasure: &Erasure) -> Result<(), Failure> {
        // What cannot come to its end is not begun.
        let done = match self.erasing.look(session, person).await {
            Ok(_) => self.erasing.go_on(session, person, erasure).await,
            Err(failure) if failure.retryable => Err(failure),
            Err(failure) => {
                // Ours are safe to keep; the server's words may tell who it is.
                let why = failure.refused.map_or("the database could not be asked", |_| failure.message.as_str());
                self.erasing.fail(erasure, why).await?;
                Err(failure)
            }
        };
        match done {
            Ok((Erasure { state: ErasureState::Completed, .. }, emptied)) => {
                self.drained.erased += 1;
                self.emptied.extend(emptied);
                Ok(())
            }
            Ok((erasure, _)) => {
                self.drained.deferred += 1;
                let note = erasure.note.unwrap_or_default();
                self.drained.problems.push(format!("the erasure {} is deferred: {note}", erasure.id));
                self.mark(session, person).await
            }
            Err(failure) if failure.retryable => Err(failure),
            Err(failure) => {
                self.failed(format!("the erasure {}: {}", erasure.id, failure.message));
                self.mark(session, person).await
            }
        }
    }

    fn failed(&mut self, problem: String) {
        self.drained.failed += 1;
        self.drained.problems.push(problem);
    }

    /// Whether nothing is left of somebody who was erased before.
    async fn is_done(&self, session: &mut Session, person: &Person) -> bool {
        let Ok(sight) = self.erasing.look(session, person).await else { return false };
        let queue = self.table.relation.to_string();
        sight.references.iter().all(|found| found.rows == 0 || (found.table == queue && found.by == SUBJECT))
    }

    /// What is no request: it is logged, and taken out. A row that was deleted and is there again was moved to another
    /// partition, or put back by the application; whoever asks for somebody's erasure in so many words is heard.
    async fn keep(
        &mut self,
        session: &mut Session,
        person: &Person,
        why: &str,
        by_trigger: bool,
    ) -> Result<(), Failure> {
        let detail = json!({"subject_hmac": person.hmac, "why": why});
        let entry = self.erasing.hand.entry(self.erasing.policy, LogKind::Refused, detail);
        self.erasing.state.log(&entry, Timestamp::now()).await?;
        self.drained.dropped += 1;
        self.forget(session, person, by_trigger).await
    }

    /// Takes a person out of the queue; `by_trigger`: only what the trigger wrote down.
    async fn forget(&self, session: &mut Session, person: &Person, by_trigger: bool) -> Result<(), Failure> {
        let dialect = session.ground.dialect();
        let mut statement = Fragment::text(format!("DELETE FROM {} WHERE ", dialect.table(&self.table.relation)));
        statement.append(self.theirs(session, person)?);
        if by_trigger {
            statement.push(format!(" AND {}", dialect.name(BY_TRIGGER)));
        }
        self.change(session, statement).await
    }

    /// Notes that the ledger has the request: from now on it is not the queue's to remember it.
    async fn mark(&self, session: &mut Session, person: &Person) -> Result<(), Failure> {
        let dialect = session.ground.dialect();
        let (table, taken) = (dialect.table(&self.table.relation), dialect.name(TAKEN));
        let mut statement = Fragment::text(format!("UPDATE {table} SET {taken} = CURRENT_TIMESTAMP WHERE "));
        statement.append(self.theirs(session, person)?);
        statement.push(format!(" AND {taken} IS NULL"));
        self.change(session, statement).await
    }

    fn theirs(&self, session: &Session, person: &Person) -> Result<Fragment, Failure> {
        let setting = session.seen.setting(self.erasing.policy, session.ground.as_ref());
        setting.is_person(&self.table, SUBJECT, &person.id).map_err(|unfit| Failure::new(unfit.0))
    }

    async fn change(&self, session: &mut Session, statement: Fragment) -> Result<(), Failure> {
        let statement = statement.finish(session.ground.dialect().placeholder());
        session.ground.change(&statement, LONGEST, &Always).await?;
        Ok(())
    }
}

/// Whether a person's own row stands in the subject's table.
async fn is_there(session: &mut Session, erasing: &Erasing<'_>, person: &Person) -> Result<bool, Failure> {
    let setting: Setting<'_> = session.seen.setting(erasing.policy, session.ground.as_ref());
    let unfit = |unfit: crate::privacy::dialect::Unfit| Failure::new(unfit.0);
    let subject = crate::privacy::erase::subject(&setting)?;
    let table = setting.table(&subject.table).map_err(unfit)?;
    let dialect = setting.dialect;
    let mut question = Fragment::text("SELECT ");
    question.append(dialect.read(Fragment::text("1")));
    question.push(format!(" FROM {} WHERE ", dialect.table(&table.relation)));
    question.append(setting.is_person(table, &subject.key, &person.id).map_err(unfit)?).push(" LIMIT 1");
    Ok(!session.ground.ask(&question.finish(dialect.placeholder())).await?.is_empty())
}

/// The requests of each person, in the order in which the first of each stands in the queue.
fn by_person(requests: Vec<Request>) -> Vec<Vec<Request>> {
    let mut people: Vec<Vec<Request>> = Vec::new();
    for request in requests {
        match people.iter_mut().find(|of_person| of_person[0].subject == request.subject) {
            Some(of_person) => of_person.push(request),
            None => people.push(vec![request]),
        }
    }
    people
}

/// Nothing keeps what is written in the queue.
struct Always;

#[async_trait]
impl Gate for Always {
    async fn is_open(&self, _: u64) -> bool {
        true
    }
}
