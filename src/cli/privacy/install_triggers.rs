//! `privacy install-triggers`: the queue in which applications ask for erasures, printed, made or removed.

use std::sync::Arc;

use serde_json::json;

use super::erase::lease;
use super::policy;
use crate::cli::confirm::confirm;
use crate::cli::exit::{CliError, Exit};
use crate::cli::scene::Scene;
use crate::config::{DatabaseKind, PrivacyPolicy};
use crate::database::Servers;
use crate::privacy::ground::Purpose;
use crate::privacy::queue::{self, Kind, Script};
use crate::privacy::session::Session;
use crate::run::Failure;

/// What is wanted.
pub(super) struct Wish {
    pub(super) install: bool,
    pub(super) uninstall: bool,
    /// Also if requests are lost.
    pub(super) forget_requests: bool,
    pub(super) dry_run: bool,
    pub(super) yes: bool,
}

pub(super) async fn run(name: Option<&str>, wish: Wish, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let policy = policy(name, scene)?;
    let named = queue::named(policy).map_err(|failure| CliError { exit: Exit::Usage, ..failure.into() })?;
    let is_done = (wish.install || wish.uninstall) && !wish.dry_run;
    let state = scene.state().await?;
    let _lease = is_done.then(|| lease(policy, &state)).transpose()?;
    let purpose = if is_done { Purpose::Work } else { Purpose::Look };
    let servers = Arc::new(Servers::new(&scene.config));
    let mut session = Session::open(&scene.config, &servers, policy, purpose).await?;
    let kind = kind(policy, &mut session, scene).await?;
    let setting = session.seen.setting(policy, session.ground.as_ref());
    let make = if wish.uninstall { queue::uninstall } else { queue::install };
    let mut script = make(&setting, named, &kind).map_err(|unfit| CliError::from(Failure::new(unfit.0)))?;
    if wish.forget_requests {
        script.unless = None;
    }
    let told =
        json!({"policy": policy.name, "database": policy.database.as_str(), "sql": script.text(), "done": is_done});
    if !is_done {
        scene.output.line(script.text());
        scene.output.json(&told);
        return Ok(Exit::Done);
    }
    if wish.uninstall {
        confirm(&format!("remove the queue {} from {}", named.table, policy.database), wish.yes)?;
    }
    carry_out(&script, policy, &mut session).await?;
    let what = if wish.uninstall { "is gone, and its trigger" } else { "and its trigger are there" };
    scene.output.line(format!("the queue {} {what}", named.table));
    if wish.install
        && let Some(readers) = readers(&kind, policy, &mut session).await?
    {
        scene.output.note(format!("the queue holds identities, and others may read it: {readers}"));
    }
    scene.output.json(&told);
    Ok(Exit::Done)
}

async fn kind(policy: &PrivacyPolicy, session: &mut Session, scene: &Scene<'_>) -> Result<Kind, CliError> {
    let database = scene.config.databases.get(&policy.database);
    if database.is_some_and(|database| matches!(database.kind, DatabaseKind::Sqlite(_))) {
        return Ok(Kind::Sqlite);
    }
    Ok(Kind::Postgres { role: queue::role(session.ground.as_mut()).await? })
}

async fn carry_out(script: &Script, policy: &PrivacyPolicy, session: &mut Session) -> Result<(), CliError> {
    let done = session.ground.script(&script.first, script.unless.as_deref(), &script.then).await?;
    if done {
        return Ok(());
    }
    let job = format!("privacy.{}.queue", policy.name);
    Err(CliError::refused("requests stand in the queue, and would be lost: nothing was done").hint(format!(
        "`caretaker job run {job}` does what can be done, `caretaker privacy erasures {}` shows what a hold keeps; \
         --forget-requests removes the queue all the same",
        policy.name
    )))
}

/// Who else may read what the queue holds: a database's default privileges are wider than one thinks.
async fn readers(kind: &Kind, policy: &PrivacyPolicy, session: &mut Session) -> Result<Option<String>, CliError> {
    if matches!(kind, Kind::Sqlite) {
        return Ok(None);
    }
    // It was not there when the database was looked at.
    session.seen.schema = session.ground.inspect().await?;
    let setting = session.seen.setting(policy, session.ground.as_ref());
    match queue::table(&setting) {
        Some(table) => Ok(queue::readers(session.ground.as_mut(), &table.relation).await?),
        None => Ok(None),
    }
}
