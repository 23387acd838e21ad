//! A round of checks: one connection, read-only, each check with a deadline of its own.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use sqlx::postgres::PgConnection;

use super::checks::{Check, check};
use super::{Exclusions, Limits, OwnView, PostgresView, Seen, SqliteView, Unseen, Verdict};
use crate::config::{CheckName, Config, Database, DatabaseKind, HealthJob, SqliteTarget};
use crate::database::Servers;
use crate::database::postgres::{Connection, Endpoint, Identity, Postgres};
use crate::fault::Fault as _;
use crate::state::{CheckKey, Observation, Sample, State, StateError, Status};

/// How long one check may take before it counts as not seen.
const CHECK_WITHIN: Duration = Duration::from_secs(10);

/// The same for a deep one.
const DEEP_WITHIN: Duration = Duration::from_secs(1800);

/// What the server is told to keep to, so that looking never hurts: nothing is written, no lock is waited for, and what
/// takes too long ends on the server too.
const MANNERS: &str =
    "SET default_transaction_read_only = on; SET lock_timeout = '500ms'; SET statement_timeout = '8s';
    SET idle_in_transaction_session_timeout = '60s'; SET jit = off; SET search_path = pg_catalog";

/// The same for deep checks, which read whole tables.
const DEEP_MANNERS: &str =
    "SET default_transaction_read_only = on; SET lock_timeout = '500ms'; SET statement_timeout = '30min';
    SET idle_in_transaction_session_timeout = '60s'; SET jit = off; SET search_path = pg_catalog";

/// What a round is to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// All but the deep checks.
    Usual,
    /// The deep ones.
    Deep,
    /// All of them.
    Both,
}

/// What one check said.
#[derive(Debug, Clone)]
pub struct Look {
    /// Which check.
    pub check: Check,
    /// What it was compared with.
    pub limits: Limits,
    /// What it said.
    pub seen: Seen,
    /// How long it took.
    pub took: Duration,
    /// The statements it sent.
    pub sql: Vec<String>,
}

/// What a round found.
#[derive(Debug)]
pub struct Round {
    /// Of which database.
    pub database: String,
    /// When it began.
    pub at: Timestamp,
    /// By check, in their order; those behind a failed connection are missing.
    pub looks: Vec<Look>,
    fresh: Vec<Sample>,
    latest: Vec<Sample>,
}

/// What a round works with.
#[derive(Clone, Copy)]
pub struct Rounds<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The handles of its servers.
    pub servers: &'a Servers,
    /// What is remembered.
    pub state: &'a State,
    /// The health job.
    pub job: &'a HealthJob,
}

/// The checks of a round, in their order: those there are for this kind of database and that are not disabled.
pub fn due(job: &HealthJob, config: &Config, depth: Depth) -> Vec<Check> {
    let is_sqlite =
        config.databases.get(&job.database).is_some_and(|database| matches!(database.kind, DatabaseKind::Sqlite(_)));
    let checks = CheckName::ALL.iter().map(|name| check(*name));
    checks
        .filter(|check| depth == Depth::Both || check.deep == (depth == Depth::Deep))
        .filter(|check| !job.checks.get(&check.name).is_some_and(|settings| settings.disabled))
        .filter(|check| {
            let look = &check.look;
            look.own.is_some() || if is_sqlite { look.sqlite.is_some() } else { look.postgres.is_some() }
        })
        .collect()
}

/// Looks at a database. Changes nothing; [`Round::record`] does.
pub async fn round(rounds: Rounds<'_>, depth: Depth, now: Timestamp) -> Round {
    let Some(database) = rounds.config.databases.get(&rounds.job.database) else {
        return Round {
            database: rounds.job.database.to_string(),
            at: now,
            looks: Vec::new(),
            fresh: Vec::new(),
            latest: Vec::new(),
        };
    };
    let mut round = Round {
        database: database.name.to_string(),
        at: now,
        looks: Vec::new(),
        fresh: Vec::new(),
        latest: Vec::new(),
    };
    let checks = due(rounds.job, rounds.config, depth);
    let scene = Scene { rounds, database, now };
    match &database.kind {
        DatabaseKind::Postgres(_) => scene.postgres(&checks, &mut round).await,
        DatabaseKind::Sqlite(target) => scene.sqlite(&checks, target, &mut round).await,
    }
    for check in &checks {
        if let Some(look) = check.look.own {
            let mut view = scene.own(check);
            let began = Instant::now();
            let seen = within(CHECK_WITHIN, look(&mut view)).await;
            round.take(*check, view, seen, began.elapsed());
        }
    }
    let order = |name: CheckName| CheckName::ALL.iter().position(|known| *known == name);
    round.looks.sort_by_key(|look| order(look.check.name));
    round
}

/// One database at one moment.
struct Scene<'a> {
    rounds: Rounds<'a>,
    database: &'a Database,
    now: Timestamp,
}

impl<'a> Scene<'a> {
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
        let began = Instant::now();
        let opened = open(server).await;
        let connected_in = began.elapsed();
        let (mut connection, identity) = match opened {
            Ok(opened) => opened,
            Err(verdict) => {
                // What lies behind a door that does not open is not looked at, and says nothing.
                let check = check(CheckName::Connectivity);
                let view = self.own(&check);
                round.take(check, view, Ok(verdict), connected_in);
                return;
            }
        };
        let endpoint = connection.endpoint().clone();
        for check in checks {
            let Some(look) = check.look.postgres else { continue };
            let (look, fresh, latest) =
                self.ask(check, look, &identity, &endpoint, connected_in, connection.pg()).await;
            let lost = matches!(&look.seen, Err(Unseen::Unknown { .. })) && look.took >= deadline(check);
            round.fresh.extend(fresh);
            round.latest.extend(latest);
            round.looks.push(look);
            if lost {
                // The answer may still come, and would be taken for the next question's: a new connection.
                drop(connection);
                match open(server).await {
                    Ok((new, _)) => connection = new,
                    Err(_) => return,
                }
            }
        }
        connection.close().await;
    }

    async fn ask(
        &self,
        check: &Check,
        look: for<'v> fn(&'v mut PostgresView<'_>) -> super::checks::Looking<'v>,
        server: &Identity,
        endpoint: &Endpoint,
        connected_in: Duration,
        connection: &mut PgConnection,
    ) -> (Look, Vec<Sample>, Vec<Sample>) {
        let began = Instant::now();
        let manners = if check.deep { DEEP_MANNERS } else { MANNERS };
        let mut view =
            PostgresView { own: self.own(check), server, endpoint, connected_in, connection, asked: Vec::new() };
        let seen = within(deadline(check), async {
            view.settle(manners).await?;
            look(&mut view).await
        })
        .await
        .map_err(|unseen| unseen.for_role(&server.user));
        let look = Look { check: *check, limits: view.own.limits, seen, took: began.elapsed(), sql: view.asked };
        (look, view.own.fresh, view.own.latest)
    }

    async fn sqlite(&self, checks: &[Check], target: &SqliteTarget, round: &mut Round) {
        for check in checks {
            let Some(look) = check.look.sqlite else { continue };
            let began = Instant::now();
            let mut view = SqliteView { own: self.own(check), path: &target.path };
            let seen = within(deadline(check), look(&mut view)).await;
            let is_shut = check.name == CheckName::Connectivity
                && matches!(&seen, Ok(verdict) if verdict.status == Status::Critical && verdict.figure.is_none());
            round.take(*check, view.own, seen, began.elapsed());
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
    let late = || Unseen::unknown(format!("no answer within {} s", deadline.as_secs()));
    tokio::time::timeout(deadline, looking).await.unwrap_or_else(|_| Err(late()))
}

/// Connects; where that fails, the verdict of the check `connectivity`.
async fn open(server: &Postgres) -> Result<(Connection, Identity), Verdict> {
    let opened = async {
        let mut connection = server.connect("health").await?;
        let identity = connection.identify().await?;
        Ok::<_, crate::database::postgres::DatabaseError>((connection, identity))
    };
    opened.await.map_err(|error| {
        let verdict = Verdict::new(Status::Critical, crate::fault::chain(&error));
        match error.hint() {
            Some(hint) => verdict.advice(hint),
            None => verdict,
        }
    })
}

impl Round {
    fn take(&mut self, check: Check, view: OwnView<'_>, seen: Seen, took: Duration) {
        self.fresh.extend(view.fresh);
        self.latest.extend(view.latest);
        self.looks.push(Look { check, limits: view.limits, seen, took, sql: Vec::new() });
    }

    /// The worst of what was found.
    pub fn worst(&self) -> Status {
        self.looks.iter().map(Look::status).max().unwrap_or(Status::NotApplicable)
    }

    /// Keeps what was found: as each check's last word, for the alert engine, and the figures for later looks.
    pub async fn record(&self, state: &State) -> Result<(), StateError> {
        let observations: Vec<Observation> =
            self.looks.iter().map(|look| look.observation(&self.database, self.at)).collect();
        state.record_samples(&self.database, &self.fresh).await?;
        state.replace_samples(&self.database, &self.latest).await?;
        state.record_observations(&observations).await
    }
}

impl Look {
    /// What it amounts to.
    pub fn status(&self) -> Status {
        match &self.seen {
            Ok(verdict) => verdict.status,
            Err(Unseen::NotApplicable(_)) => Status::NotApplicable,
            Err(Unseen::Unknown { .. }) => Status::Unknown,
        }
    }

    /// As it is recorded and shown.
    pub fn observation(&self, database: &str, at: Timestamp) -> Observation {
        let key = CheckKey {
            source: "health".to_owned(),
            subject: database.to_owned(),
            name: self.check.name.as_str().to_owned(),
        };
        let empty = Observation {
            key,
            status: self.status(),
            at,
            summary: String::new(),
            value: None,
            number: None,
            threshold: self.limits.text(),
            advice: None,
            evidence: Vec::new(),
        };
        match &self.seen {
            Ok(verdict) => Observation {
                summary: verdict.summary.clone(),
                value: verdict.figure.map(|figure| self.limits.figure(figure)),
                number: verdict.figure,
                advice: verdict.advice.clone().filter(|_| verdict.status > Status::Ok),
                evidence: verdict.evidence.clone(),
                ..empty
            },
            Err(Unseen::NotApplicable(why)) => Observation { summary: why.clone(), ..empty },
            Err(Unseen::Unknown { why, cure }) => Observation { summary: why.clone(), advice: cure.clone(), ..empty },
        }
    }
}
