//! A round of checks: which are due, what each said, and how that is recorded.

use std::time::Duration;

use jiff::Timestamp;

use super::checks::{Check, check};
use super::scene::Scene;
use super::{Limits, Seen, Unseen};
use crate::config::{CheckName, Config, DatabaseKind, HealthJob};
use crate::database::Servers;
use crate::state::{CheckKey, Observation, Sample, State, StateError, Status};

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
    kept: Kept,
}

/// Figures that the checks want to be kept.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Beside those of earlier looks.
    pub fresh: Vec<Sample>,
    /// In their place.
    pub latest: Vec<Sample>,
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
        // It stands before servers only.
        .filter(|check| !(is_sqlite && check.name == CheckName::PgBouncer))
        .filter(|check| {
            let look = &check.look;
            look.own.is_some() || if is_sqlite { look.sqlite.is_some() } else { look.postgres.is_some() }
        })
        .collect()
}

/// Looks at a database. Changes nothing; [`Round::record`] does.
pub async fn round(rounds: Rounds<'_>, depth: Depth, now: Timestamp) -> Round {
    let mut round =
        Round { database: rounds.job.database.to_string(), at: now, looks: Vec::new(), kept: Kept::default() };
    let Some(database) = rounds.config.databases.get(&rounds.job.database) else { return round };
    Scene { rounds, database, now }.look(&due(rounds.job, rounds.config, depth), &mut round).await;
    let order = |name: CheckName| CheckName::ALL.iter().position(|known| *known == name);
    round.looks.sort_by_key(|look| order(look.check.name));
    round
}

impl Round {
    /// Takes what a check said and wants to be kept.
    pub(super) fn take(&mut self, look: Look, kept: Kept) {
        self.kept.fresh.extend(kept.fresh);
        self.kept.latest.extend(kept.latest);
        self.looks.push(look);
    }

    /// The worst of what was found.
    pub fn worst(&self) -> Status {
        self.looks.iter().map(Look::status).max().unwrap_or(Status::NotApplicable)
    }

    /// Keeps what was found: as each check's last word, for the alert engine, and the figures for later looks.
    pub async fn record(&self, state: &State) -> Result<(), StateError> {
        let observations: Vec<Observation> =
            self.looks.iter().map(|look| look.observation(&self.database, self.at)).collect();
        state.record_round(&self.database, &self.kept.fresh, &self.kept.latest, &observations).await
    }
}

impl Look {
    /// What it amounts to.
    pub fn status(&self) -> Status {
        match &self.seen {
            Ok(verdict) => verdict.status,
            Err(Unseen::NotApplicable { .. }) => Status::NotApplicable,
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
        let lines = |lines: &[String]| lines.iter().map(|line| one_line(line)).collect();
        let empty = Observation { threshold: self.limits.text(), ..Observation::new(key, self.status(), "", at) };
        match &self.seen {
            Ok(verdict) => Observation {
                summary: one_line(&verdict.summary),
                value: verdict.figure.map(|figure| self.limits.figure(figure)),
                number: verdict.figure,
                advice: verdict.advice.clone().filter(|_| verdict.status > Status::Ok),
                evidence: lines(&verdict.evidence),
                ..empty
            },
            Err(Unseen::NotApplicable { why, evidence }) => {
                Observation { summary: one_line(why), evidence: lines(evidence), ..empty }
            }
            Err(Unseen::Unknown { why, cure }) => {
                Observation { summary: one_line(why), advice: cure.as_deref().map(one_line), ..empty }
            }
        }
    }
}

/// Names of objects, roles and applications may hold anything: a line break would forge a line of evidence, an escape
/// sequence would reach the terminal.
fn one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}
