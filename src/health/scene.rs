//! Looking: one connection, read-only, each check with a deadline of its own.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time::timeout;

use super::checks::{Check, check};
use super::round::{Kept, Look, Round, Rounds};
use super::view::BUSY;
use super::{Exclusions, Limits, OwnView, PostgresView, Seen, SqliteView, Unseen, Verdict};
use crate::config::{CheckName, Database, DatabaseKind, SqliteTarget};
use crate::database::postgres::{Connection, DatabaseError, Identity, Postgres};
use crate::fault::{Fault as _, chain};
use crate::state::Status;

/// How long one check may take before it counts as not seen.
const CHECK_WITHIN: Duration = Duration::from_secs(10);

/// The same for a deep one.
const DEEP_WITHIN: Duration = Duration::from_secs(1800);

/// How long a usual round may take: one that hangs ends before the next begins. What is left then was not seen.
const ROUND_WITHIN: Duration = Duration::from_secs(60);

/// How long our own runs may keep a round from its connection.
const GATE_WITHIN: Duration = Duration::from_secs(5);

/// What the server is told to keep to, so that looking never hurts: nothing is written, no lock is waited for, and what
/// takes too long ends on the server too.
const MANNERS: &str =
    "SET default_transaction_read_only = on; SET lock_timeout = '500ms'; SET statement_timeout = '8s';
    SET idle_in_transaction_session_timeout = '60s'; SET jit = off; SET search_path = pg_catalog";

/// The same for deep checks, which read whole tables.
const DEEP_MANNERS: &str =
    "SET default_transaction_read_only = on; SET lock_timeout = '500ms'; SET statement_timeout = '30min';
    SET idle_in_transaction_session_timeout = '60s'; SET jit = off; SET search_path = pg_catalog";

/// One database at one moment.
pub(super) struct Scene<'a> {
    pub rounds: Rounds<'a>,
    pub database: &'a Database,
    pub now: Timestamp,
}

impl<'a> Scene<'a> {
    /// Lets each check look.
    pub async fn look(&self, checks: &[Check], round: &mut Round) {
        match &self.database.kind {
            DatabaseKind::Postgres(_) => self.postgres(checks, round).await,
            DatabaseKind::Sqlite(target) => self.sqlite(checks, target, round).await,
        }
        for check in checks {
            let Some(look) = check.look.own else { continue };
            let mut view = self.own(check);
            let began = Instant::now();
            let seen = within(CHECK_WITHIN, look(&mut view)).await;
            view.said(*check, seen, began.elapsed(), Vec::new(), round);
        }
    }

    fn own(&self, check: &Check) -> OwnView<'a> {
        let settings = self.rounds.job.checks.get(&check.name).cloned().unwrap_or_default();
        OwnView {
            config: self.rounds.config,
            job: self.rounds.job,
            database: self.database,
            state: self.rounds.state,
            now: self.now,
            limits: Limits::of(check.name, check.warning, check.critical, &settings),
            exclude: Exclusions::new(&settings.exclude),
            fresh: Vec::new(),
            latest: Vec::new(),
        }
    }

    async fn postgres(&self, checks: &[Check], round: &mut Round) {
        let Some(server) = self.rounds.servers.get(&self.database.name) else { return };
        let mut door = match Door::open(server).await {
            Ok(door) => door,
            Err(seen) => {
                // What lies behind a door that does not open is not looked at, and says nothing.
                return self.shut(seen, round);
            }
        };
        let began = Instant::now();
        for check in checks {
            let Some(look) = check.look.postgres else { continue };
            if !check.deep && began.elapsed() >= ROUND_WITHIN {
                let why = format!("not looked at: the {} s of a round were over", ROUND_WITHIN.as_secs());
                self.own(check).said(*check, Err(Unseen::unknown(why).cure(BUSY)), Duration::ZERO, Vec::new(), round);
                continue;
            }
            let (seen, took) = self.ask(check, look, &mut door, round).await;
            let Err(Unseen::Unknown { why, .. }) = seen else { continue };
            let is_lost = took >= deadline(check) || !door.answers().await;
            if is_lost && check.name == CheckName::Connectivity {
                let why = format!("connected, but a first query failed: {why}");
                return self.shut(Ok(Verdict::new(Status::Critical, why).advice(BUSY)), round);
            }
            if is_lost {
                // The answer may still come, and would be taken for the next question's: a new connection.
                drop(door);
                match Door::open(server).await {
                    Ok(new) => door = new,
                    // It opened before, but the server is not there any more.
                    Err(seen) => return self.shut(seen, round),
                }
            }
        }
        door.connection.close().await;
    }

    /// What the check `connectivity` says in the end, whatever it said before.
    fn shut(&self, seen: Seen, round: &mut Round) {
        let check = check(CheckName::Connectivity);
        round.looks.retain(|look| look.check.name != check.name);
        self.own(&check).said(check, seen, Duration::ZERO, Vec::new(), round);
    }

    async fn ask(
        &self,
        check: &Check,
        look: for<'v> fn(&'v mut PostgresView<'_>) -> super::checks::Looking<'v>,
        door: &mut Door,
        round: &mut Round,
    ) -> (Seen, Duration) {
        let began = Instant::now();
        let manners = if check.deep { DEEP_MANNERS } else { MANNERS };
        let endpoint = door.connection.endpoint().clone();
        let mut view = PostgresView {
            own: self.own(check),
            server: &door.identity,
            endpoint: &endpoint,
            connected_in: door.opened_in,
            connection: door.connection.pg(),
            asked: Vec::new(),
        };
        let seen = within(deadline(check), async {
            view.settle(manners).await?;
            look(&mut view).await
        })
        .await
        .map_err(|unseen| unseen.for_role(&door.identity.user));
        let took = began.elapsed();
        let kept = Kept { fresh: view.own.fresh, latest: view.own.latest };
        let look = Look { check: *check, limits: view.own.limits, seen: seen.clone(), took, sql: view.asked };
        round.take(look, kept);
        (seen, took)
    }

    async fn sqlite(&self, checks: &[Check], target: &SqliteTarget, round: &mut Round) {
        for check in checks {
            let Some(look) = check.look.sqlite else { continue };
            let began = Instant::now();
            let mut view = SqliteView { own: self.own(check), path: &target.path, asked: Vec::new() };
            let seen = within(deadline(check), look(&mut view)).await;
            let is_shut = check.name == CheckName::Connectivity
                && matches!(&seen, Ok(verdict) if verdict.status == Status::Critical && verdict.figure.is_none());
            view.own.said(*check, seen, began.elapsed(), view.asked, round);
            if is_shut {
                // As behind a server's door that does not open.
                return;
            }
        }
    }
}

fn deadline(check: &Check) -> Duration {
    if check.deep { DEEP_WITHIN } else { CHECK_WITHIN }
}

async fn within(deadline: Duration, looking: impl Future<Output = Seen>) -> Seen {
    let late = || Unseen::unknown(format!("no answer within {} s", deadline.as_secs())).cure(BUSY);
    timeout(deadline, looking).await.unwrap_or_else(|_| Err(late()))
}

/// A connection to the server, and how it opened.
struct Door {
    connection: Connection,
    identity: Identity,
    opened_in: Duration,
}

impl Door {
    /// Connects; where that fails, what the check `connectivity` says. Our own runs may hold all connections that we allow
    /// ourselves: that says nothing about the server.
    async fn open(server: &Postgres) -> Result<Self, Seen> {
        let Ok(reserved) = timeout(GATE_WITHIN, server.reserve(1)).await else {
            return Err(Err(Unseen::not_applicable(
                "other runs of Caretaker hold all the connections that `max_connections` allows it",
            )));
        };
        let began = Instant::now();
        let opened = async {
            let mut connection = server.connect_with(reserved?.take()?, "health").await?;
            let opened_in = began.elapsed();
            let identity = connection.identify().await?;
            Ok::<_, DatabaseError>(Self { connection, identity, opened_in })
        };
        opened.await.map_err(|error| {
            let verdict = Verdict::new(Status::Critical, chain(&error));
            Ok(match error.hint() {
                Some(hint) => verdict.advice(hint),
                None => verdict,
            })
        })
    }
}

impl Door {
    /// Whether the connection is still good for a question: a session that was ended is not.
    async fn answers(&mut self) -> bool {
        let question = sqlx::raw_sql("SELECT 1").execute(self.connection.pg());
        timeout(CHECK_WITHIN, question).await.is_ok_and(|answer| answer.is_ok())
    }
}

impl OwnView<'_> {
    /// Gives the round what a check said with this view.
    fn said(self, check: Check, seen: Seen, took: Duration, sql: Vec<String>, round: &mut Round) {
        let kept = Kept { fresh: self.fresh, latest: self.latest };
        round.take(Look { check, limits: self.limits, seen, took, sql }, kept);
    }
}
