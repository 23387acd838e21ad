//! `privacy certificate`: what was done, from what was written down of it.

use std::collections::BTreeMap;
use std::path::Path;

use super::{export, policy};
use crate::anchor;
use crate::cli::exit::{CliError, Exit};
use crate::cli::scene::Scene;
use crate::privacy::certificate::{self, Basis, Certificate};
use crate::state::{Erasure, LogRecord, State, verify_log};

pub(super) async fn run(
    wanted: &str,
    of_policy: Option<&str>,
    as_html: bool,
    output: Option<&Path>,
    scene: &Scene<'_>,
) -> Result<Exit, CliError> {
    if as_html && scene.output.is_json() {
        return Err(CliError::usage("`--html` and `--format json` are two forms: choose one"));
    }
    if let Some(path) = output.filter(|path| path.exists()) {
        return Err(CliError::refused(format!("{} exists already: nothing was written", path.display())));
    }
    let state = scene.state().await?;
    let records = state.log_records(0, None).await?;
    let erasures = state.erasures(None).await?;
    let certificate = match find(wanted, of_policy, &records, &erasures, scene)? {
        Wanted::Erasure(erasure) if erasure.certificate.is_none() => {
            let (id, how) = (&erasure.id, erasure.state.as_str());
            let note = erasure.note.as_deref().map_or_else(String::new, |note| format!(": {note}"));
            return Err(CliError::failed(format!("the erasure {id} has no certificate yet, it is {how}{note}")));
        }
        Wanted::Erasure(erasure) => certificate::erasure(&records, erasure, basis(&records, &state, scene).await?),
        Wanted::Run(run) => {
            let known = dispositions(&records, run, &state).await?;
            certificate::disposition(&records, run, &known, basis(&records, &state, scene).await?)
        }
    };
    let certificate = certificate.ok_or_else(|| CliError::failed("what was written down of it cannot be read"))?;
    print(&certificate, as_html, output, scene)?;
    Ok(if certificate.log.verifies { Exit::Done } else { Exit::Found })
}

enum Wanted<'a> {
    Run(&'a str),
    Erasure(&'a Erasure),
}

/// The run or the erasure that is meant.
fn find<'a>(
    wanted: &str,
    of_policy: Option<&str>,
    records: &'a [LogRecord],
    erasures: &'a [Erasure],
    scene: &Scene<'_>,
) -> Result<Wanted<'a>, CliError> {
    if wanted == "latest" {
        let policy = policy(of_policy, scene)?;
        return certificate::latest(records, &policy.name).map(Wanted::Run).ok_or_else(|| {
            CliError::usage(format!("no run of the policy {} did anything yet", policy.name))
                .hint("`caretaker privacy erasures` shows erasures, `caretaker privacy log` all that was done")
        });
    }
    let is_meant = |id: &str| id == wanted || wanted.len() >= 4 && (id.starts_with(wanted) || id.ends_with(wanted));
    let runs = certificate::runs(records).into_iter().filter(|run| is_meant(run)).map(Wanted::Run);
    let erasures = erasures.iter().filter(|erasure| is_meant(&erasure.id)).map(Wanted::Erasure);
    let mut found: Vec<Wanted<'_>> = runs.chain(erasures).collect();
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(CliError::usage(format!("there is no run of a policy and no erasure `{wanted}`"))
            .hint("`caretaker privacy log` shows runs, `caretaker privacy erasures` erasures")),
        (Some(_), false) => Err(CliError::usage(format!("`{wanted}` is more than one: write more of it"))),
    }
}

/// How far the dispositions that a run has begun have come.
async fn dispositions(
    records: &[LogRecord],
    run: &str,
    state: &State,
) -> Result<BTreeMap<String, crate::state::Disposition>, CliError> {
    let mut known = BTreeMap::new();
    let of_run = records.iter().filter(|record| record.run_id.as_deref() == Some(run));
    for id in of_run.filter_map(|record| record.detail["disposition"].as_str()) {
        if let Some(disposition) = state.disposition(id).await? {
            known.insert(id.to_owned(), disposition);
        }
    }
    Ok(known)
}

/// Looks through the log, as `verify-log` does.
async fn basis(records: &[LogRecord], state: &State, scene: &Scene<'_>) -> Result<Basis, CliError> {
    let anchors = anchor::read(&scene.config, state).await?;
    let report = verify_log(records, &anchors.found);
    let missed = anchors.missed.into_iter().map(|missed| format!("{}: {}", missed.store, missed.error));
    Ok(Basis::new(&report, missed.collect()))
}

fn print(certificate: &Certificate, as_html: bool, output: Option<&Path>, scene: &Scene<'_>) -> Result<(), CliError> {
    let failed = |error: String| CliError::failed(format!("the certificate cannot be written: {error}"));
    let text = match (as_html, scene.output.is_json()) {
        (true, _) => certificate::html(certificate).map_err(|error| failed(error.to_string()))?,
        (false, true) => serde_json::to_string_pretty(certificate).map_err(|error| failed(error.to_string()))?,
        (false, false) => certificate::text(certificate).map_err(|error| failed(error.to_string()))?,
    };
    match output {
        None => scene.output.raw(text.trim_end()),
        Some(path) => {
            export::write(path, text.trim_end())
                .map_err(|error| CliError::failed(format!("{} cannot be written: {error}", path.display())))?;
            scene.output.line(format!("written to {}", path.display()));
            scene.output.json(&serde_json::json!({"file": path}));
        }
    }
    Ok(())
}
