//! `privacy export`: what is held about a person, as JSON.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::{entry, policy};
use crate::cli::exit::{CliError, Exit};
use crate::cli::scene::Scene;
use crate::database::Servers;
use crate::privacy::erase::Person;
use crate::privacy::export;
use crate::privacy::ground::Purpose;
use crate::privacy::session::Session;
use crate::state::LogKind;

pub(super) async fn run(name: &str, subject: &str, output: Option<&Path>, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let policy = policy(Some(name), scene)?;
    if let Some(path) = output.filter(|path| path.exists()) {
        return Err(CliError::refused(format!("{} exists already: nothing was written", path.display())));
    }
    let state = scene.state().await?;
    let mut session =
        Session::open(&scene.config, &Arc::new(Servers::new(&scene.config)), policy, Purpose::Look).await?;
    let setting = session.seen.setting(policy, session.ground.as_ref());
    let person = Person::find(session.ground.as_mut(), &setting, subject).await?;
    let held = export::read(session.ground.as_mut(), &setting, &person).await?;
    let text = serde_json::to_string_pretty(&held).map_err(|error| CliError::failed(error.to_string()))?;
    // What leaves is written down before it does.
    let rows: Vec<_> =
        held.places.iter().map(|place| json!({"table": place.table, "rows": place.rows.len()})).collect();
    let detail = json!({"subject_hmac": person.hmac, "places": rows});
    state.log(&entry(LogKind::SubjectExported, policy, detail), Timestamp::now()).await?;
    match output {
        None => scene.output.raw(text),
        Some(path) => {
            write(path, &text)
                .map_err(|error| CliError::failed(format!("{} cannot be written: {error}", path.display())))?;
            scene.output.line(format!("{} rows in {}", held.rows(), path.display()));
            scene.output.json(&json!({"file": path, "rows": held.rows()}));
        }
    }
    Ok(Exit::Done)
}

/// Writes a file that only its owner may read, whole or not at all, and never over another.
pub(super) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Such files are for their owner alone.
    let made = tempfile::NamedTempFile::new_in(folder)?;
    made.as_file().write_all(text.as_bytes())?;
    made.as_file().write_all(b"\n")?;
    made.as_file().sync_all()?;
    made.persist_noclobber(path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}
