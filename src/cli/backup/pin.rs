//! `backup pin|unpin`

use jiff::Timestamp;
use serde_json::json;

use crate::backup;
use crate::cli::exit::{CliError, Exit};
use crate::cli::scene::Scene;

pub(super) async fn pin(id: &str, pinned: bool, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let backup = scene.backup(&state, id).await?;
    let failures = if pinned {
        backup::pin(&backup, &scene.config, &state, Timestamp::now()).await?
    } else {
        backup::unpin(&backup, &scene.config, &state).await?
    };
    for failure in &failures {
        scene.output.remark(format!("not noted beside the copy: {}", failure.message));
    }
    scene.output.line(format!("{} is {}pinned", backup.id, if pinned { "" } else { "no longer " }));
    scene.output.json(&json!({"backup": backup.id, "pinned": pinned}));
    Ok(if failures.is_empty() { Exit::Done } else { Exit::Failed })
}
