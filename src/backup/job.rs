//! The backup job: what the scheduler, `job run` and `backup now` execute.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::take::{Taken, Wish, take};
use super::{heal, prune, remains};
use crate::anchor;
use crate::config::{
    BackupJob, CatchUp, Compression, Config, DatabaseName, FingerprintLevel, JobKind, LocalStore, SqliteCheck, Store,
    StoreKind,
};
use crate::database::Servers;
use crate::records;
use crate::run::{self, Failure, Limits, Outcome, PlanView, RunContext, who};
use crate::state::{Cause, State};

/// A `[backup.*]` table, ready to run; or a backup by hand.
pub struct Job {
    config: Arc<Config>,
    servers: Arc<Servers>,
    settings: BackupJob,
    manual: bool,
    catalogued: bool,
}

/// The lease of backups by hand of a database.
pub fn manual_lease(database: &DatabaseName) -> String {
    format!("manual.{database}")
}

/// A backup by hand: like the database's first job, or with the defaults and to every store. With `output` it goes to
/// that folder only and is not in the catalogue.
pub fn manual_job(config: &Arc<Config>, database: &DatabaseName, output: Option<&Path>) -> Result<Job, Failure> {
    let mut config = Arc::clone(config);
    let like = config.backups.values().find(|job| &job.database == database).cloned();
    let mut settings = like.unwrap_or_else(|| BackupJob {
        name: database.to_string(),
        database: database.clone(),
        schedule: None,
        timezone: config.daemon.timezone.clone(),
        stores: config.stores.keys().cloned().collect(),
        compression: Compression::Zstd(3),
        encrypt_to: Vec::new(),
        fingerprint: FingerprintLevel::Hash,
        check: SqliteCheck::Quick,
        timeout: Duration::from_secs(6 * 3600),
        stall_timeout: Duration::from_secs(600),
        retries: None,
        catch_up: CatchUp::Skip,
        retention: None,
        heartbeat: None,
    });
    settings.retention = None;
    if let Some(path) = output {
        let name: crate::config::StoreName = "output".parse().map_err(|error| Failure::new(format!("{error}")))?;
        let path = std::path::absolute(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        let kind = StoreKind::Local(LocalStore { path });
        Arc::make_mut(&mut config).stores.insert(name.clone(), Store { name: name.clone(), kind });
        settings.stores = vec![name];
    }
    if settings.stores.is_empty() {
        return Err(Failure::new("there is no store to put the backup in")
            .hint("add a [stores.*] table to the configuration, or give --output DIR"));
    }
    let servers = Arc::new(Servers::new(&config));
    Ok(Job { config, servers, settings, manual: true, catalogued: output.is_none() })
}

impl Job {
    /// The job of a table.
    pub fn new(config: Arc<Config>, servers: Arc<Servers>, settings: BackupJob) -> Self {
        Self { config, servers, settings, manual: false, catalogued: true }
    }

    /// `backup.nightly`; for a backup by hand the name of its lease.
    pub fn full_name(&self) -> String {
        if self.manual {
            manual_lease(&self.settings.database)
        } else {
            format!("{}.{}", JobKind::Backup.as_str(), self.settings.name)
        }
    }

    fn wish(&self) -> Wish<'_> {
        Wish {
            config: &self.config,
            servers: &self.servers,
            settings: &self.settings,
            job: (!self.manual).then(|| self.full_name()),
            lease: self.full_name(),
            catalogued: self.catalogued,
        }
    }

    async fn outcome(&self, taken: Taken, context: &RunContext) -> Result<Outcome, Failure> {
        let mut summary = taken.summary();
        if let Some(failure) = taken.failure().or_else(|| taken.damage()) {
            return Ok(Outcome::Partial { summary, failure });
        }
        self.prune(&mut summary, context).await;
        Ok(Outcome::Succeeded { summary })
    }

    /// Retention runs after a success only; its own failures are told, and do not undo the success.
    async fn prune(&self, summary: &mut serde_json::Value, context: &RunContext) {
        context.progress.phase("prune");
        let mut warnings = self.expire(context).await;
        let pruned = async {
            let Some(plan) = prune::plan_prune(&self.settings, &context.state, jiff::Timestamp::now()).await? else {
                return Ok::<_, Failure>(None);
            };
            let overdue: Vec<String> = plan.retention.overdue.iter().map(|overdue| overdue.id.to_string()).collect();
            let who = if context.cause == Cause::Manual { who() } else { "daemon".to_owned() };
            let applied = prune::apply_prune(&plan, &self.config, &context.state, &who);
            let applied = context.progress.beat_during(applied).await?;
            if let Err(error) = context.progress.beat_during(anchor::write(&self.config, &context.state)).await {
                tracing::warn!(error = crate::fault::chain(&error), "the disposition log is not anchored");
            }
            Ok(Some((applied, overdue)))
        };
        match pruned.await {
            Ok(None) => {}
            Ok(Some(((removed, errors), overdue))) => {
                summary["pruned"] = json!(removed);
                warnings.extend(overdue.into_iter().map(|text| format!("older than max_age and kept: {text}")));
                warnings
                    .extend(errors.iter().map(|e| format!("{} not removed from {}: {}", e.backup, e.store, e.error)));
            }
            Err(failure) => warnings.push(format!("retention did not run: {failure}")),
        }
        for warning in warnings {
            tracing::warn!(job = self.full_name(), warning, "retention");
            if let Some(all) = summary["warnings"].as_array_mut() {
                all.push(json!(warning));
            }
        }
    }

    /// Archives of rows go as well, when their time has passed.
    async fn expire(&self, context: &RunContext) -> Vec<String> {
        let who = if context.cause == Cause::Manual { who() } else { "daemon".to_owned() };
        let mut warnings = Vec::new();
        for policy in self.config.privacy.values().filter(|policy| policy.database == self.settings.database) {
            let now = jiff::Timestamp::now();
            let expiring = records::expire(&self.config, &context.state, policy, &who, now);
            match context.progress.beat_during(expiring).await {
                Ok(expired) => warnings.extend(expired.warnings),
                Err(failure) => warnings.push(format!("archives of rows were not looked at: {failure}")),
            }
        }
        warnings
    }

    /// Completes a partial backup; as the attempt's whole work, or before a new backup is taken.
    async fn heal(&self, id: &str, context: &RunContext) -> Result<Option<Outcome>, Failure> {
        let Some(backup) = context.state.backup(id).await? else { return Ok(None) };
        if !heal::can_be_completed(&backup) {
            return Ok(None);
        }
        let mut healer = heal::Healer::new(&self.config, context, run::Job::limits(self));
        match healer.complete(&backup).await {
            Ok(stores) => {
                let mut summary = json!({"backup": backup.id, "completed_in": stores, "warnings": []});
                self.prune(&mut summary, context).await;
                Ok(Some(Outcome::Succeeded { summary }))
            }
            Err(failure) => {
                let summary = json!({"backup": backup.id, "warnings": []});
                Ok(Some(Outcome::Partial { summary, failure }))
            }
        }
    }
}

#[async_trait]
impl run::Job for Job {
    fn name(&self) -> String {
        self.full_name()
    }

    fn limits(&self) -> Limits {
        Limits { timeout: self.settings.timeout, stall_timeout: self.settings.stall_timeout }
    }

    async fn plan(&self) -> Result<PlanView, Failure> {
        super::take::plan(&self.wish()).await
    }

    async fn recover(&self, state: &State) -> Result<(), Failure> {
        remains::settle_held(&self.full_name(), &self.config, state).await
    }

    async fn run(&self, context: &RunContext) -> Result<Outcome, Failure> {
        let left = context.left.as_ref().and_then(|left| left["backup"].as_str());
        if let Some(id) = left
            && let Some(outcome) = self.heal(id, context).await?
        {
            return Ok(outcome);
        }
        if !self.manual {
            // Older partial backups are completed first. Where that still fails, the new one matters more.
            let partial = heal::worth_completing(&self.settings, &context.state, jiff::Timestamp::now()).await?;
            let mut healer = heal::Healer::new(&self.config, context, run::Job::limits(self));
            for backup in &partial {
                let _ = healer.complete(backup).await;
            }
        }
        let taken = take(&self.wish(), context).await?;
        self.outcome(taken, context).await
    }
}
