//! `alert ack`

use jiff::Timestamp;

use super::super::exit::{CliError, Exit};
use super::super::scene::Scene;
use super::short;

pub(super) async fn run(id: &str, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let incident = state.acknowledge(id, &crate::run::who(), Timestamp::now()).await?.ok_or_else(|| {
        CliError::usage(format!("there is no open incident `{id}`, or more than one"))
            .hint("`caretaker alert list` shows them; four characters of one end of the id are the least")
    })?;
    scene.output.line(format!(
        "{} {} is acknowledged: no more reminders until it becomes worse, and a word when it is over",
        short(&incident.id),
        incident.key
    ));
    scene.output.json(&incident);
    Ok(Exit::Done)
}
