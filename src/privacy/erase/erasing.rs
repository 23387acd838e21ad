//! An erasure from the request to the certificate.

use jiff::Timestamp;
use serde_json::json;

use super::carry::{self, Carried, Record};
use super::certificate::Certificate;
use super::held::held;
use super::person::{self, Person};
use super::receive::random;
use super::steps::{Step, slow, steps};
use super::{Asked, Erasing, Found, Sight, check, remains};
use crate::database::schema::Relation;
use crate::fault::chain;
use crate::privacy::ground::Ground;
use crate::privacy::hold::Holding;
use crate::privacy::plan::Setting;
use crate::privacy::session::Session;
use crate::run::Failure;
use crate::state::{Erasure, ErasureState, LogKind};

impl Erasing<'_> {
    /// What erasing a person would do. Nothing is written.
    ///
    /// # Errors
    ///
    /// A refusal where it could not come to its end.
    pub async fn look(&self, session: &mut Session, person: &Person) -> Result<Sight, Failure> {
        let setting = session.seen.setting(self.policy, session.ground.as_ref());
        let ground = session.ground.as_mut();
        let subject = person::subject(&setting)?;
        let random = random(ground, subject).await?;
        let steps = steps(&setting, subject, person, random.as_deref()).map_err(person::wrong)?;
        check::all(ground, &setting, subject, person, &steps).await?;
        let holding = Holding::read(self.state, &self.policy.name).await?;
        let held_by = held(ground, &setting, person, &steps, &holding.active).await?;
        let held_by = held_by.into_iter().map(|hold| hold.id.clone()).collect();
        let mut references = Vec::new();
        for step in &steps {
            let rows = check::rows(ground, step, step.left.clone()).await?;
            references.push(Found {
                table: step.table.relation.to_string(),
                by: step.by.clone(),
                action: step.action(),
                rows,
            });
        }
        let warnings = steps.iter().filter_map(slow).collect();
        Ok(Sight { subject_hmac: person.hmac.clone(), references, held_by, warnings })
    }

    /// Erases a person: records the request first, then does it and searches again. Gives the ledger's entry; a hold makes
    /// it a deferred one.
    pub async fn erase(
        &self,
        session: &mut Session,
        person: &Person,
        reason: Option<&str>,
    ) -> Result<Erasure, Failure> {
        // What cannot come to its end is not begun.
        self.look(session, person).await?;
        let erasure = self.receive(session, person, Asked { reason, received: None }).await?;
        let (erasure, emptied) = self.go_on(session, person, &erasure).await?;
        tidy(session.ground.as_mut(), emptied).await;
        Ok(erasure)
    }

    /// Goes on with an erasure that was written down. Gives what has become of it, and the tables of which rows are gone,
    /// for [`tidy`].
    pub async fn go_on(
        &self,
        session: &mut Session,
        person: &Person,
        erasure: &Erasure,
    ) -> Result<(Erasure, Vec<Relation>), Failure> {
        let setting = session.seen.setting(self.policy, session.ground.as_ref());
        let subject = person::subject(&setting)?;
        let random = random(session.ground.as_mut(), subject).await?;
        // One that was begun goes on with the tombstone that rows have already.
        let random = random.map(|new| erasure.tombstone.clone().unwrap_or(new));
        let steps = steps(&setting, subject, person, random.as_deref()).map_err(person::wrong)?;
        let mut emptied = Vec::new();
        match self.carry_out(session.ground.as_mut(), &setting, person, &steps, Some(&erasure.id)).await {
            Ok(End::Done(references)) => {
                let gone = steps.iter().zip(&references).filter(|(step, found)| step.goes() && found.rows > 0);
                emptied.extend(gone.map(|(step, _)| step.table.relation.clone()));
                self.complete(session.ground.as_mut(), erasure, &steps, references).await?;
            }
            Ok(End::Held(holds)) => {
                let note = format!("held by {}", holds.join(", "));
                let detail = json!({"erasure": erasure.id, "subject_hmac": person.hmac, "holds": holds});
                let entry = self.hand.entry(self.policy, LogKind::ErasureDeferred, detail);
                let now = Timestamp::now();
                self.state.suspend_erasure(&erasure.id, ErasureState::Deferred, &note, &entry, now).await?;
            }
            Err(failure) => {
                // Ours are safe to keep; the server's words may tell who it is.
                let why = match failure.refused {
                    Some(_) => failure.message.as_str(),
                    None => "the database was against it, or did not answer: whoever tried it was told more",
                };
                self.fail(erasure, why).await?;
                let hint = failure.hint.unwrap_or_else(|| "ask for it again: it goes on where it stopped".to_owned());
                return Err(Failure { hint: Some(hint), ..failure });
            }
        }
        Ok((self.entry(&erasure.id).await?, emptied))
    }

    /// Goes on with the policy's open erasures whose people still stand in the database: found by hashing the declared
    /// columns. Gives what became of each, and how many people were not found.
    pub async fn resume(&self, session: &mut Session) -> Result<(Vec<Erasure>, usize), Failure> {
        let mut open = self.state.erasures(Some(&self.policy.name)).await?;
        open.retain(|erasure| erasure.state != ErasureState::Completed);
        let hmacs: Vec<&str> = open.iter().map(|erasure| erasure.subject_hmac.as_str()).collect();
        let setting = session.seen.setting(self.policy, session.ground.as_ref());
        let found = match hmacs.is_empty() {
            true => return Ok((Vec::new(), 0)),
            false => Person::again(session.ground.as_mut(), &setting, &hmacs).await?,
        };
        let mut resumed = Vec::new();
        for erasure in &open {
            let Some(person) = found.get(&erasure.subject_hmac) else { continue };
            match self.erase(session, person, None).await {
                Ok(erasure) => resumed.push(erasure),
                // One that fails does not keep the others.
                Err(failure) => {
                    if failure.refused.is_some() {
                        let detail =
                            json!({"erasure": erasure.id, "subject_hmac": person.hmac, "why": failure.message});
                        let entry = self.hand.entry(self.policy, LogKind::Refused, detail);
                        self.state.log(&entry, Timestamp::now()).await?;
                    }
                    tracing::warn!(erasure = erasure.id, error = failure.message, "an erasure did not come to its end");
                    resumed.push(self.entry(&erasure.id).await?);
                }
            }
        }
        let missing = open.len() - resumed.len();
        Ok((resumed, missing))
    }

    async fn entry(&self, id: &str) -> Result<Erasure, Failure> {
        self.state.erasure(id).await?.ok_or_else(|| Failure::new("the erasure's entry is gone from the ledger"))
    }

    pub(super) async fn carry_out(
        &self,
        ground: &mut dyn Ground,
        setting: &Setting<'_>,
        person: &Person,
        steps: &[Step<'_>],
        id: Option<&str>,
    ) -> Result<End, Failure> {
        let mut here = vec![0; steps.len()];
        'again: loop {
            let holding = Holding::read(self.state, &self.policy.name).await?;
            let held = held(ground, setting, person, steps, &holding.active).await?;
            if !held.is_empty() {
                return Ok(End::Held(held.into_iter().map(|hold| hold.id.clone()).collect()));
            }
            for (step, here) in steps.iter().zip(&mut here) {
                let expected = check::rows(ground, step, step.undone.clone()).await?;
                let record = Record { state: self.state, erasure: id, place: step.place() };
                match carry::out(ground, step, expected, &holding, &record).await? {
                    Carried::Done(rows) => *here += rows,
                    Carried::HoldsChanged(rows) => {
                        *here += rows;
                        continue 'again;
                    }
                }
            }
            if let Some(id) = id {
                // With what runs have done that were cut off.
                let done = self.state.erasure_rows(id).await?;
                here = steps.iter().map(|step| done.get(&step.place()).copied().unwrap_or(0)).collect();
            }
            let found = steps.iter().zip(here).map(|(step, rows)| Found { rows, ..Found::none(step) });
            return Ok(End::Done(found.collect()));
        }
    }

    /// Searches again, and certifies.
    async fn complete(
        &self,
        ground: &mut dyn Ground,
        erasure: &Erasure,
        steps: &[Step<'_>],
        references: Vec<Found>,
    ) -> Result<(), Failure> {
        let residual = search(ground, steps).await?;
        let now = Timestamp::now();
        if let Some(message) = still_found(&residual) {
            self.fail(erasure, &message).await?;
            return Err(
                Failure::new(message).hint("rows that came meanwhile, children, or a trigger: ask for it again")
            );
        }
        let remains = remains::look(self.config, &self.policy.database, self.state, now).await?;
        let certificate = Certificate::new(self.policy, erasure, references, residual, remains, now);
        let value = serde_json::to_value(&certificate).map_err(|error| Failure::new(error.to_string()))?;
        let detail = json!({
            "erasure": erasure.id, "subject_hmac": erasure.subject_hmac, "policy_hash": certificate.policy_hash,
            "rows": certificate.references.iter().map(|found| found.rows).sum::<u64>(), "residual": 0,
            "certificate_sha256": super::certificate::sha256(&value),
        });
        let entry = self.hand.entry(self.policy, LogKind::ErasureCompleted, detail);
        self.state.complete_erasure(&erasure.id, &value, &entry, now).await?;
        certificate.remains.settle(self.state, &[&erasure.id], now).await
    }

    /// Writes down that an erasure did not come to its end, and why.
    pub async fn fail(&self, erasure: &Erasure, why: &str) -> Result<(), Failure> {
        let detail = json!({"erasure": erasure.id, "subject_hmac": erasure.subject_hmac, "error": why});
        let entry = self.hand.entry(self.policy, LogKind::ErasureFailed, detail);
        Ok(self.state.suspend_erasure(&erasure.id, ErasureState::Failed, why, &entry, Timestamp::now()).await?)
    }
}

/// Searches all declared columns for what is not yet as it shall be.
pub(super) async fn search(ground: &mut dyn Ground, steps: &[Step<'_>]) -> Result<Vec<Found>, Failure> {
    let mut residual = Vec::new();
    for step in steps {
        let rows = check::rows(ground, step, step.left.clone()).await?;
        residual.push(Found { rows, ..Found::none(step) });
    }
    Ok(residual)
}

/// What is wrong if the search afterwards finds something.
pub(super) fn still_found(residual: &[Found]) -> Option<String> {
    let left = residual.iter().filter(|found| found.rows > 0);
    let left = left.map(|found| format!("{} rows of `{}` by {}", found.rows, found.table, found.by));
    let left = left.collect::<Vec<_>>().join(", ");
    (!left.is_empty()).then(|| format!("the search afterwards still finds {left}"))
}

/// How carrying out has ended.
pub(super) enum End {
    Done(Vec<Found>),
    Held(Vec<String>),
}

/// Clears up tables of which people's rows are gone: free pages, an emptied write-ahead log. Not worth failing for.
pub async fn tidy(ground: &mut dyn Ground, emptied: impl IntoIterator<Item = Relation>) {
    for table in emptied {
        if let Err(error) = ground.tidy(&table).await {
            tracing::debug!(%table, error = chain(&error), "not cleared up");
        }
    }
}
