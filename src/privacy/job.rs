//! The privacy job: what the scheduler, `job run` and `privacy apply` execute.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;

use super::apply::{Application, RuleApplied, apply};
use super::approval::Hand;
use super::certificate::Applied;
use super::erase::{Erasing, remains};
use super::ground::Purpose;
use super::plan::{self, Plan, RulePlan};
use super::replay::escrow;
use super::session::Session;
use super::{approval, policy, precondition, queue};
use crate::config::{Config, DatabaseKind, JobKind, PrivacyPolicy};
use crate::database::Servers;
use crate::database::schema::Schema;
use crate::records;
use crate::run::{self, Failure, Limits, Outcome, PlanView, Refusal, RunContext, who};
use crate::state::{Cause, ErasureState, LogKind, State};
use crate::{anchor, backup};

/// How long one transaction should take by default. SQLite has one writer: while one works, all others wait.
const TARGET: Duration = Duration::from_millis(300);
const SQLITE_TARGET: Duration = Duration::from_millis(50);

/// How long a run may go without progress: the longest thing that makes none is counting the rows of a plan.
const STALL: Duration = Duration::from_secs(3600);

/// How many of a policy's dispositions are looked back at.
const EARLIER: u32 = 200;

/// A `[privacy.*]` table, ready to run.
pub struct Job {
    config: Arc<Config>,
    servers: Arc<Servers>,
    settings: PrivacyPolicy,
}

impl Job {
    /// The job of a table.
    pub fn new(config: Arc<Config>, servers: Arc<Servers>, settings: PrivacyPolicy) -> Self {
        Self { config, servers, settings }
    }

    /// `privacy.ferpa`
    pub fn full_name(&self) -> String {
        format!("{}.{}", JobKind::Privacy.as_str(), self.settings.name)
    }

    /// What applying the policy would do now.
    pub async fn make_plan(&self, state: &State) -> Result<Plan, Failure> {
        let mut session = Session::glance(&self.config, &self.servers, &self.settings).await?;
        let holds = state.holds(Some(&self.settings.name), Some(session.seen.now)).await?;
        let earlier = state.dispositions(&self.settings.name, None, EARLIER).await?;
        let setting = session.seen.setting(&self.settings, session.ground.as_ref());
        let (planned, warnings) = plan::make(session.ground.as_mut(), &setting, &holds, &earlier).await?;
        Ok(Plan {
            policy: self.settings.name.clone(),
            hash: policy::hash(&self.settings),
            database: self.settings.database.to_string(),
            at: session.seen.now,
            rules: planned.into_iter().map(|one| one.shown).collect(),
            warnings: session.seen.warnings.iter().cloned().chain(warnings).collect(),
        })
    }

    /// Goes on with erasures that were cut off, or that a hold kept which has run out. What keeps them does not keep the
    /// rules: it is a warning.
    async fn resume_erasures(&self, session: &mut Session, context: &RunContext, hand: &Hand<'_>) -> Vec<String> {
        let erasing = Erasing { config: &self.config, policy: &self.settings, state: &context.state, hand };
        let resumed = context.progress.beat_during(erasing.resume(session)).await;
        let (resumed, missing) = match resumed {
            Ok(resumed) => resumed,
            Err(failure) => return vec![format!("the open erasures were not gone on with: {failure}")],
        };
        let open = resumed.iter().filter(|erasure| erasure.state != ErasureState::Completed);
        let mut warnings: Vec<String> = open
            .map(|erasure| {
                let note = erasure.note.as_deref().unwrap_or_default();
                format!("the erasure {} is {}: {note}", erasure.id, erasure.state.as_str())
            })
            .collect();
        if missing > 0 {
            warnings.push(format!("{missing} open erasures are of people who stand in no declared column any more"));
        }
        warnings
    }

    /// Erases who waits in the queue; what keeps them is a warning, too.
    async fn drain_queue(&self, session: &mut Session, context: &RunContext, hand: &Hand<'_>) -> Vec<String> {
        let erasing = Erasing { config: &self.config, policy: &self.settings, state: &context.state, hand };
        match context.progress.beat_during(queue::drain(&erasing, session, context)).await {
            Ok(drained) => drained.problems,
            Err(failure) => vec![format!("the queue is not drained: {failure}")],
        }
    }

    fn target(&self) -> Duration {
        let database = self.config.databases.get(&self.settings.database);
        let is_sqlite = database.is_some_and(|database| matches!(database.kind, DatabaseKind::Sqlite(_)));
        self.settings.batch.target.unwrap_or(if is_sqlite { SQLITE_TARGET } else { TARGET })
    }
}

#[async_trait]
impl run::Job for Job {
    fn name(&self) -> String {
        self.full_name()
    }

    fn limits(&self) -> Limits {
        Limits { timeout: self.settings.timeout, stall_timeout: STALL.min(self.settings.timeout) }
    }

    async fn plan(&self) -> Result<PlanView, Failure> {
        let state = State::open(&self.config.daemon.state_dir).await?;
        let plan = self.make_plan(&state).await?;
        let value = serde_json::to_value(&plan).map_err(|error| Failure::new(error.to_string()))?;
        Ok(PlanView { text: super::show::plan(&plan), value })
    }

    /// What a killed run has left is taken up by the next one, from where it had come to.
    async fn recover(&self, _: &State) -> Result<(), Failure> {
        Ok(())
    }

    async fn run(&self, context: &RunContext) -> Result<Outcome, Failure> {
        let done = self.work(context).await;
        // What a run before has left in backups may be gone from them by now.
        if let Err(failure) = backup::amend(&context.state, &by(context)).await {
            tracing::warn!(error = failure.message, "not looked at whether backups still hold what was disposed of");
        }
        // Whatever has come of it stands in the log. A store that is missed is told next time, as all are after a stop.
        if !context.cancel.is_cancelled()
            && let Err(error) = context.progress.beat_during(anchor::write(&self.config, &context.state)).await
        {
            tracing::warn!(error = crate::fault::chain(&error), "the disposition log is not anchored");
        }
        done
    }
}

impl Job {
    async fn work(&self, context: &RunContext) -> Result<Outcome, Failure> {
        let hash = policy::hash(&self.settings);
        let (is_person, who) = (context.cause == Cause::Manual, by(context));
        let hand = Hand { who: &who, is_person, run_id: Some(&context.run_id) };
        approval::check(&self.settings, &context.state, &hand).await?;
        let began = Timestamp::now();
        if let Err(failure) = precondition::backups(&self.settings, &context.state).await {
            let entry = hand.entry(&self.settings, LogKind::Refused, json!({"why": failure.message}));
            context.state.log(&entry, Timestamp::now()).await?;
            return Err(failure);
        }
        context.progress.phase("apply");
        let mut session = Session::open(&self.config, &self.servers, &self.settings, Purpose::Work).await?;
        // What is made with the key can be told again only with it. A store that is missed is asked again next time.
        let kept = escrow::keep(&self.config, &context.state, &self.settings, &session.seen.key);
        context.progress.beat_during(kept).await;
        let mut of_erasures = self.resume_erasures(&mut session, context, &hand).await;
        of_erasures.extend(self.drain_queue(&mut session, context, &hand).await);
        let earlier = context.state.dispositions(&self.settings.name, None, EARLIER).await?;
        let setting = session.seen.setting(&self.settings, session.ground.as_ref());
        let application = Application {
            context,
            config: &self.config,
            setting: &setting,
            hash: &hash,
            door: &session.entrance,
            hand: &hand,
            target: self.target(),
        };
        let done = apply(&application, &mut session.ground, &earlier).await?;
        self.record(&application, began, &done).await?;
        let (_, of_order) = plan::in_order(&setting);
        let mut warnings: Vec<String> = session.seen.warnings.iter().cloned().chain(of_order).collect();
        warnings.extend(of_erasures);
        for (applied, plan) in &done {
            warnings.extend(plan.warnings.iter().map(|warning| format!("{}: {warning}", plan.name)));
            if applied.left > 0 {
                warnings
                    .push(format!("{}: {} rows match all the same; the next run looks again", plan.name, applied.left));
            }
        }
        let expiring = records::expire(&self.config, &context.state, &self.settings, &who, Timestamp::now());
        let expired = context.progress.beat_during(expiring).await?;
        warnings.extend(expired.warnings);
        warnings.extend(unclassified(&self.settings, &session.seen.schema));
        let rules: Vec<RuleApplied> = done.into_iter().map(|(applied, _)| applied).collect();
        let summary = json!({
            "policy": self.settings.name, "policy_hash": hash, "rules": rules, "archives_expired": expired.removed,
            "warnings": warnings,
        });
        outcome(&rules, summary)
    }
}

impl Job {
    /// Writes down what came of the rules, and what honestly remains elsewhere: what the certificate says.
    async fn record(
        &self,
        application: &Application<'_>,
        began: Timestamp,
        done: &[(RuleApplied, RulePlan)],
    ) -> Result<(), Failure> {
        let (policy, state, now) = (&self.settings, &application.context.state, Timestamp::now());
        if policy.rules.is_empty() {
            return Ok(());
        }
        let mut applied = Applied::new(policy, application.hash, began, done, state).await?;
        if applied.rows() > 0 {
            let remains = remains(&self.config, &policy.database, state, now).await?;
            let ids: Vec<&str> = applied.rules.iter().filter_map(|rule| rule.disposition.as_deref()).collect();
            remains.settle(state, &ids, now).await?;
            applied.remains = Some(remains);
        }
        let detail = serde_json::to_value(&applied).map_err(|error| Failure::new(error.to_string()))?;
        state.log(&application.entry(LogKind::PolicyApplied, detail), now).await?;
        Ok(())
    }
}

/// Who has a run done.
fn by(context: &RunContext) -> String {
    if context.cause == Cause::Manual { who() } else { "daemon".to_owned() }
}

/// How many columns that stand in the warning.
const NAMED: usize = 5;

/// A word about columns that came after the policy's classes were written.
fn unclassified(policy: &PrivacyPolicy, schema: &Schema) -> Option<String> {
    let found = super::coverage::unclassified(policy, schema);
    if policy.columns.is_empty() || found.is_empty() {
        return None;
    }
    let named = found.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if found.len() > NAMED { ", …" } else { "" };
    let count = crate::units::counted(found.len(), "column is", "columns are");
    Some(format!("{count} not classified: {named}{more}; see `caretaker privacy coverage {}`", policy.name))
}

/// All rules done: success. Otherwise what went wrong with which.
fn outcome(rules: &[RuleApplied], summary: serde_json::Value) -> Result<Outcome, Failure> {
    let wrong: Vec<_> = rules.iter().filter(|rule| rule.error.is_some()).collect();
    let Some(first) = wrong.first() else { return Ok(Outcome::Succeeded { summary }) };
    let told = wrong.iter().map(|rule| format!("{}: {}", rule.rule, rule.error.as_deref().unwrap_or_default()));
    let failure = Failure {
        message: told.collect::<Vec<_>>().join("; "),
        hint: first.hint.clone(),
        retryable: wrong.iter().any(|rule| rule.retryable),
        refused: wrong.iter().all(|rule| rule.refused).then_some(Refusal::Safety),
    };
    match wrong.len() == rules.len() && rules.iter().all(|rule| rule.rows == 0) {
        true => Err(failure),
        false => Ok(Outcome::Partial { summary, failure }),
    }
}
