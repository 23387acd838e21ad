//! `daemon` and `reload`.

use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use uuid::Uuid;

use super::config;
use super::exit::{CliError, Exit};
use super::scene::Scene;
use crate::daemon::{DaemonError, run as live};
use crate::fault::{Fault, chain};
use crate::run::Lease;

/// How long `reload` waits for the daemon's answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn run(scene: Scene<'_>) -> Result<Exit, CliError> {
    let path = scene.global.config.clone();
    let load = Box::new(move || config::reload(path.as_deref()));
    let config = std::sync::Arc::unwrap_or_clone(scene.config);
    match live(config, load).await {
        Ok(()) => Ok(Exit::Done),
        Err(error) => {
            let (exit, hint) = match &error {
                DaemonError::Second(lease) => (Exit::Busy, lease.hint()),
                DaemonError::Lease(lease) => (Exit::Failed, lease.hint()),
                DaemonError::State(state) => (Exit::Failed, state.hint()),
                DaemonError::Signals(_) | DaemonError::Wake(_) => (Exit::Failed, None),
            };
            let message = chain(&error);
            tracing::error!(error = message, hint, "the daemon ends");
            Err(CliError { exit, message, hint, rendered: false })
        }
    }
}

pub(super) async fn reload(scene: &Scene<'_>) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let none = || CliError::failed("no daemon runs on this state directory").hint("systemctl status caretaker");
    let pid = Lease::holder(state.dir(), "daemon")?.ok_or_else(none)?.pid;
    let id = Uuid::now_v7().to_string();
    state.request_reload(&id, Timestamp::now()).await?;
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(none)?;
    kill_process(pid, Signal::HUP).map_err(|error| {
        CliError::failed(format!("cannot signal the daemon (process {}): {error}", pid.as_raw_nonzero()))
    })?;
    let deadline = tokio::time::Instant::now() + ANSWER_WITHIN;
    while tokio::time::Instant::now() < deadline {
        if let Some(answer) = state.reload_answer(&id).await? {
            if answer.accepted {
                scene.output.line(format!("reloaded: {}", answer.message));
                scene.output.json(&serde_json::json!({"reloaded": true, "message": answer.message}));
                return Ok(Exit::Done);
            }
            return Err(CliError::usage(format!(
                "not reloaded, the old configuration stays in force: {}",
                answer.message
            )));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(CliError::failed(format!("the daemon did not answer within {} s", ANSWER_WITHIN.as_secs())))
}
