//! `alert unit-failed`: what caretaker-failure@.service runs. The daemon is gone, and the configuration may be why.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::super::args::Global;
use super::super::exit::{CliError, Exit};
use super::super::output::Output;
use super::super::user::drop_to_owner;
use crate::alert::{LastGood, unit_failed};
use crate::config::{LoadOptions, load};

/// How long everybody may be tried for; the unit is given 60 s.
const WITHIN: Duration = Duration::from_secs(40);
/// How long the journal may take.
const JOURNAL: Duration = Duration::from_secs(5);
/// Where the unit keeps its state.
const STATE_DIR: &str = "/var/lib/caretaker";

/// Whom to tell, from the present configuration or else the last good one, as the user that the daemon runs as. Must be
/// called while the process has only one thread.
pub(in super::super) fn whom(global: &Global, output: &Output) -> Result<LastGood, CliError> {
    match load(&LoadOptions::from_process(global.config.clone())) {
        Ok(loaded) => {
            drop_to_owner(&loaded.config.daemon.state_dir)?;
            Ok(LastGood::of(&loaded.config))
        }
        Err(_) => {
            let state_dir = state_dir();
            drop_to_owner(&state_dir)?;
            output.remark("the configuration is wrong; its channels are those of the last good one");
            LastGood::recall(&state_dir).map_err(|error| {
                CliError::failed(format!("no last good configuration in {}: {error}", state_dir.display()))
                    .hint("the daemon keeps one whenever it starts or reloads")
            })
        }
    }
}

/// Tells them.
pub(in super::super) async fn run(unit: &str, from: &LastGood, output: &Output) -> Result<Exit, CliError> {
    let words = last_words(unit).await;
    let told = unit_failed(from, unit, words.as_deref(), WITHIN).await;
    if told.is_empty() {
        return Err(CliError::failed("no channel is configured: nobody is told").hint("add a table `[channels.NAME]`"));
    }
    let mut report = Vec::new();
    for (recipient, result) in &told {
        let (ok, answer) = match result {
            Ok(receipt) => ("told", receipt.0.clone()),
            Err(error) => ("not told", error.to_string()),
        };
        output.line(format!("{recipient}: {ok}: {answer}"));
        report.push(serde_json::json!({"recipient": recipient, "ok": result.is_ok(), "answer": answer}));
    }
    output.json(&report);
    Ok(if told.iter().any(|(_, result)| result.is_err()) { Exit::Failed } else { Exit::Done })
}

/// The configuration cannot say it now; systemd does, or it is where the unit has it.
fn state_dir() -> PathBuf {
    let given = std::env::var("STATE_DIRECTORY").ok();
    let first = given.as_deref().and_then(|dirs| dirs.split(':').next()).filter(|dir| dir.starts_with('/'));
    Path::new(first.unwrap_or(STATE_DIR)).to_owned()
}

/// The unit's last lines in the journal, if they may be read.
async fn last_words(unit: &str) -> Option<String> {
    let mut journal = tokio::process::Command::new("journalctl");
    journal.args(["--quiet", "--no-pager", "--output=cat", "--lines=20"]).arg(format!("--unit={unit}"));
    journal.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let said = tokio::time::timeout(JOURNAL, journal.output()).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&said.stdout).trim_end().to_owned();
    (!text.is_empty()).then_some(text)
}
