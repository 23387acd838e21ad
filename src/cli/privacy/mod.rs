//! `privacy`: one file per command.

mod apply;
mod approve;
mod archives;
mod certificate;
mod coverage;
mod erase;
mod erasures;
mod export;
mod hold;
mod install_triggers;
mod log;
mod plan;
mod replay;

use std::sync::Arc;

use super::args::PrivacyCommand;
use super::exit::{CliError, Exit};
use super::scene::{Scene, unknown};
use crate::config::PrivacyPolicy;
use crate::database::Servers;
use crate::privacy::Job;
use crate::privacy::approval::Hand;
use crate::run::who;
use crate::state::{LogEntry, LogKind};

pub(super) async fn run(command: &PrivacyCommand, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let done = match command {
        PrivacyCommand::Plan { policy } => plan::run(policy.as_deref(), scene).await,
        PrivacyCommand::Apply { policy, dry_run: true, .. } => plan::run(policy.as_deref(), scene).await,
        PrivacyCommand::Apply { policy, yes, .. } => apply::run(policy.as_deref(), *yes, scene).await,
        PrivacyCommand::Approve { policy, hash } => approve::run(policy, hash, scene).await,
        PrivacyCommand::Erase { policy, subject, reason, dry_run, yes } => {
            erase::run(policy, subject, reason.as_deref(), erase::Consent { dry_run: *dry_run, yes: *yes }, scene).await
        }
        PrivacyCommand::Export { policy, subject, output } => {
            export::run(policy, subject, output.as_deref(), scene).await
        }
        PrivacyCommand::Erasures { policy, show } => erasures::run(policy.as_deref(), show.as_deref(), scene).await,
        PrivacyCommand::Replay { database, into, identity, yes } => {
            replay::run(database, into, identity.as_deref(), *yes, scene).await
        }
        PrivacyCommand::Certificate { of, policy, html, output } => {
            certificate::run(of, policy.as_deref(), *html, output.as_deref(), scene).await
        }
        PrivacyCommand::Archives { policy } => archives::run(policy.as_deref(), scene).await,
        PrivacyCommand::Coverage { policy, sample } => coverage::run(policy.as_deref(), *sample, scene).await,
        PrivacyCommand::InstallTriggers { policy, install, uninstall, forget_requests, dry_run, yes } => {
            let (install, uninstall, forget_requests) = (*install, *uninstall, *forget_requests);
            let wish = install_triggers::Wish { install, uninstall, forget_requests, dry_run: *dry_run, yes: *yes };
            install_triggers::run(policy.as_deref(), wish, scene).await
        }
        PrivacyCommand::Hold(command) => hold::run(command, scene).await,
        PrivacyCommand::Log { policy, from } => log::show(policy.as_deref(), *from, scene).await,
        PrivacyCommand::VerifyLog { identity } => log::verify(identity.as_deref(), scene).await,
    };
    // Looking does not write; whatever else there is has written, or may have, also where it failed.
    let looks = matches!(
        command,
        PrivacyCommand::Plan { .. }
            | PrivacyCommand::Certificate { .. }
            | PrivacyCommand::Archives { .. }
            | PrivacyCommand::Coverage { .. }
            | PrivacyCommand::InstallTriggers { .. }
            | PrivacyCommand::Erase { dry_run: true, .. }
            | PrivacyCommand::Erasures { .. }
            | PrivacyCommand::Log { .. }
            | PrivacyCommand::VerifyLog { .. }
            | PrivacyCommand::Apply { dry_run: true, .. }
    );
    if !looks {
        scene.anchor(&scene.state().await?).await;
    }
    done
}

/// The policy of this name; without one, the only one there is.
fn policy<'a>(name: Option<&str>, scene: &'a Scene<'_>) -> Result<&'a PrivacyPolicy, CliError> {
    let policies = &scene.config.privacy;
    match name {
        Some(name) => {
            let short = name.strip_prefix("privacy.").unwrap_or(name);
            policies.get(short).ok_or_else(|| unknown("policy", name, policies.keys().map(String::as_str)))
        }
        None => match policies.values().collect::<Vec<_>>().as_slice() {
            [only] => Ok(only),
            [] => Err(CliError::usage("the configuration has no policy").hint("add a table `[privacy.NAME]`")),
            _ => Err(CliError::usage("which policy?")
                .hint(format!("one of {}", policies.keys().cloned().collect::<Vec<_>>().join(", ")))),
        },
    }
}

fn job(policy: &PrivacyPolicy, scene: &Scene<'_>) -> Job {
    let servers = Arc::new(Servers::new(&scene.config));
    Job::new(Arc::clone(&scene.config), servers, policy.clone())
}

/// A line for the log about what a person does.
fn entry(kind: LogKind, policy: &PrivacyPolicy, detail: serde_json::Value) -> LogEntry {
    Hand { who: &who(), is_person: true, run_id: None }.entry(policy, kind, detail)
}
