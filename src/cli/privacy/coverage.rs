//! `privacy coverage`: what is known of each column, and what its values look like. Values are never printed.

use std::sync::Arc;

use super::policy;
use crate::cli::exit::{CliError, Exit};
use crate::cli::scene::Scene;
use crate::database::Servers;
use crate::privacy::coverage::{Coverage, Finding, Kind, Likeness, look};
use crate::privacy::session::Session;

pub(super) async fn run(name: Option<&str>, sample: u32, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let policy = policy(name, scene)?;
    let servers = Arc::new(Servers::new(&scene.config));
    let mut session = Session::glance(&scene.config, &servers, policy).await?;
    let coverage = look(policy, &session.seen.schema, session.ground.as_mut(), sample).await;
    show(&coverage, scene);
    scene.output.json(&coverage);
    Ok(match &coverage {
        found if found.is_wrong() => Exit::Found,
        blind if !blind.unseen.is_empty() => Exit::Unseen,
        _ => Exit::Done,
    })
}

fn show(coverage: &Coverage, scene: &Scene<'_>) {
    let output = scene.output;
    let lists = [
        ("not classified", &coverage.unclassified),
        ("classified as if they were about nobody", &coverage.contradicted),
        ("touched by no rule, erasure or reference", &coverage.untouched),
    ];
    for (title, found) in lists.iter().filter(|(_, found)| !found.is_empty()) {
        output.line(output.strong(title));
        output.table(&["column", "type", "class", "looks like"], found.iter().map(row).collect());
        output.line("");
    }
    for unknown in &coverage.unknown {
        output.line(format!("{} {}: {}", output.warn("in the configuration only:"), unknown.entry, unknown.why));
    }
    for unseen in &coverage.unseen {
        output.line(format!("{} {}: {}", output.warn("not looked at:"), unseen.table, unseen.why));
    }
    let classified = coverage.columns - coverage.unclassified.len();
    output.line(format!("{classified} of {} columns in {} tables are classified", coverage.columns, coverage.tables));
}

fn row(finding: &Finding) -> Vec<String> {
    let class = finding.class.and_then(|class| Some(serde_json::to_value(class).ok()?.as_str()?.to_owned()));
    vec![
        format!("{}.{}", finding.table, finding.column),
        finding.type_name.clone(),
        class.unwrap_or_default(),
        finding.looks_like.iter().map(words).collect::<Vec<_>>().join(", "),
    ]
}

/// `email (998 of 1000)`, `text with phone (3 of 1000)`
fn words(likeness: &Likeness) -> String {
    let what = match likeness.kind {
        Kind::Email => "email",
        Kind::Phone => "phone",
        Kind::Ip => "IP address",
        Kind::Name => "name",
        Kind::NationalId => likeness.which.unwrap_or("national id"),
        Kind::Iban => "IBAN",
        Kind::PaymentCard => "payment card",
        Kind::BirthDate => "birth date",
    };
    let within = if likeness.within_text { "text with " } else { "" };
    format!("{within}{what} ({} of {})", likeness.values, likeness.of)
}
