//! `health terminate`: ends sessions that hold a transaction open and do nothing, after showing them and asking.

use jiff::SignedDuration;
use serde_json::json;

use crate::cli::confirm::confirm;
use crate::cli::exit::{CliError, Exit};
use crate::cli::logging::AUDIT;
use crate::cli::scene::Scene;
use crate::database::Servers;
use crate::units;

#[allow(clippy::cast_precision_loss, reason = "a count of sessions")]
pub(super) async fn run(
    database: &str,
    idle_over: SignedDuration,
    yes: bool,
    scene: &Scene<'_>,
) -> Result<Exit, CliError> {
    let over = idle_over.as_secs_f64();
    let name = scene.database(database)?;
    let servers = Servers::new(&scene.config);
    let server = servers.get(&name).ok_or_else(|| {
        CliError::usage(format!("{name} is a SQLite database: it has no sessions that could be ended"))
    })?;
    let mut connection = server.connect("health terminate").await?;
    let found = connection.idle_transactions(over).await?;
    let hidden = connection.hidden_sessions().await?;
    if hidden > 0 {
        let sessions = units::counted(usize::try_from(hidden).unwrap_or(0), "session", "sessions");
        scene.output.note(format!(
            "{sessions} of other roles cannot be seen: `caretaker database grants {name}` prints what lets you"
        ));
    }
    let rows = found.iter().map(|idle| {
        vec![
            idle.pid.to_string(),
            idle.role.escape_debug().to_string(),
            idle.application.escape_debug().to_string(),
            idle.client.clone().unwrap_or_else(|| "local".to_owned()),
            units::seconds(idle.idle_seconds),
            units::seconds(idle.transaction_seconds),
        ]
    });
    if found.is_empty() {
        let seen = if hidden > 0 { " that can be seen" } else { "" };
        let over = units::seconds(over);
        scene.output.line(format!("no session in {name}{seen} has been idle in a transaction for {over}"));
        scene.output.json(&json!({"database": name.as_str(), "ended": []}));
        return Ok(if hidden > 0 { Exit::Unseen } else { Exit::Done });
    }
    scene.output.table(&["pid", "role", "application", "client", "idle for", "transaction open for"], rows.collect());
    let sessions = units::counted(found.len(), "session", "sessions");
    confirm(&format!("end {sessions} in {name}; what was not committed there is lost"), yes)?;
    let (mut ended, mut gone) = (Vec::new(), 0);
    for idle in &found {
        if connection.end_session(idle, over).await? {
            let (pid, role, application) = (idle.pid, &idle.role, &idle.application);
            tracing::warn!(target: AUDIT, database = name.as_str(), pid, role, application, "ended an idle transaction by hand");
            ended.push(json!({"pid": pid, "role": role, "application": application}));
        } else {
            gone += 1;
        }
    }
    connection.close().await;
    let rest = if gone > 0 { format!("; {gone} had gone on by themselves") } else { String::new() };
    scene.output.line(format!("ended {}{rest}", ended.len()));
    scene.output.json(&json!({"database": name.as_str(), "ended": ended}));
    Ok(Exit::Done)
}
