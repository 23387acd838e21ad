//! `alert test`: a real message at once, outside the outbox.

use serde_json::json;

use super::super::exit::{CliError, Exit};
use super::super::scene::{Scene, unknown};
use crate::alert::{SendError, test};
use crate::config::ChannelName;

pub(super) async fn run(channel: Option<&str>, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let config = scene.config.as_ref();
    let known = || config.channels.keys();
    let wanted: Vec<ChannelName> = match channel {
        Some(name) => {
            let found = known().find(|known| known.as_str() == name).cloned();
            vec![found.ok_or_else(|| unknown("channel", name, known().map(ChannelName::as_str)))?]
        }
        None => known().cloned().collect(),
    };
    if wanted.is_empty() {
        return Err(CliError::usage("no channel is configured").hint("add a table `[channels.NAME]`"));
    }
    let output = scene.output;
    let mut all_good = true;
    let mut report = Vec::new();
    for name in &wanted {
        for (recipient, result) in test(config, name).await {
            let whom = if recipient == name.as_str() { name.to_string() } else { format!("{name} {recipient}") };
            let (answer, hint) = match &result {
                Ok(receipt) => {
                    output.line(format!("{} {whom}: {}", output.good("ok"), receipt.0));
                    (receipt.0.clone(), None)
                }
                Err(error) => {
                    all_good = false;
                    output.line(format!("{} {whom}: {error}", output.bad("failed")));
                    let hint = match error {
                        SendError::Permanent { hint, .. } => hint.clone(),
                        SendError::Temporary { .. } => None,
                    };
                    if let Some(hint) = &hint {
                        output.line(format!("  hint: {hint}"));
                    }
                    (error.to_string(), hint)
                }
            };
            report.push(json!({
                "channel": name.as_str(),
                "recipient": recipient,
                "ok": result.is_ok(),
                "answer": answer,
                "hint": hint,
                "permanent": matches!(result, Err(SendError::Permanent { .. })),
            }));
        }
    }
    output.json(&report);
    Ok(if all_good { Exit::Done } else { Exit::Failed })
}
