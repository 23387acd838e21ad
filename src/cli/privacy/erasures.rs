//! `privacy erasures`: the ledger.

use jiff::Timestamp;

use super::policy;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::utc;
use crate::cli::scene::Scene;
use crate::privacy::erase::certificate_text;

pub(super) async fn run(name: Option<&str>, wanted: Option<&str>, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let policy = name.map(|name| policy(Some(name), scene)).transpose()?;
    let mut erasures = scene.state().await?.erasures(policy.map(|policy| policy.name.as_str())).await?;
    if let Some(wanted) = wanted {
        erasures.retain(|one| {
            one.id == wanted || wanted.len() >= 4 && (one.id.starts_with(wanted) || one.id.ends_with(wanted))
        });
        let [one] = erasures.as_slice() else {
            return Err(CliError::usage(format!("there is no erasure `{wanted}`, or more than one"))
                .hint("`caretaker privacy erasures` shows them"));
        };
        match &one.certificate {
            Some(certificate) => scene.output.line(certificate_text(certificate)),
            None => scene.output.line(format!("{}: no certificate, it is {}", one.id, one.state.as_str())),
        }
        scene.output.json(one);
        return Ok(Exit::Done);
    }
    let now = Timestamp::now();
    let rows = erasures.iter().map(|one| {
        let state = match one.is_overdue(now) {
            true => scene.output.bad(&format!("{}, overdue", one.state.as_str())),
            false => one.state.as_str().to_owned(),
        };
        let end = one.completed.map_or_else(|| one.note.clone().unwrap_or_default(), utc);
        vec![one.id.clone(), one.policy.clone(), state, utc(one.received), utc(one.due), end]
    });
    scene.output.table(&["erasure", "policy", "state", "received", "due", "completed"], rows.collect());
    if erasures.is_empty() {
        scene.output.line("no erasures");
    }
    scene.output.json(&erasures);
    Ok(Exit::Done)
}
