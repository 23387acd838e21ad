//! `database grants NAME`

use serde_json::json;

use super::args::DatabaseCommand;
use super::exit::{CliError, Exit};
use super::scene::Scene;
use crate::config::{Action, PrivacyPolicy, SubjectRow, TableName};
use crate::database::Servers;
use crate::database::postgres::TableWork;
use crate::privacy::queue;

pub(super) async fn run(command: &DatabaseCommand, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let DatabaseCommand::Grants { name } = command;
    grants(name, scene).await
}

async fn grants(name: &str, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let name = scene.database(name)?;
    let servers = Servers::new(&scene.config);
    let Some(server) = servers.get(&name) else {
        return Err(CliError::usage(format!("{name} is a SQLite database: the file's permissions decide")));
    };
    let mut connection = server.connect("grants").await?;
    let identity = connection.identify().await?;
    let mut grants = connection.grants().await?;
    let policies = scene.config.privacy.values().filter(|policy| policy.database == name);
    grants.extend(connection.grants_on(&policies.flat_map(work).collect::<Vec<_>>()).await?);
    connection.close().await;
    scene
        .output
        .line(format!("-- the least privileges of {} in {}, given by a superuser", identity.user, identity.database));
    for grant in &grants {
        let held = if grant.held { scene.output.good("has it") } else { scene.output.bad("missing") };
        scene.output.line("");
        scene.output.line(format!("-- {}: {}: {held}", grant.duty.as_str(), grant.why));
        scene.output.line(&grant.sql);
    }
    if identity.superuser {
        scene.output.line("");
        scene
            .output
            .line(format!("-- {} is a superuser and may do all of it; a role of its own is safer", identity.user));
    }
    let missing = grants.iter().filter(|grant| !grant.held).count();
    scene.output.json(&json!({
        "database": name.as_str(),
        "role": identity.user,
        "superuser": identity.superuser,
        "grants": grants,
        "missing": missing,
    }));
    Ok(if missing == 0 { Exit::Done } else { Exit::Found })
}

/// What a policy does to which tables: by its rules, and when a person is erased.
fn work(policy: &PrivacyPolicy) -> Vec<TableWork> {
    let of = |table: &TableName, updates: Option<Vec<String>>| TableWork {
        schema: table.schema.clone(),
        name: table.name.clone(),
        deletes: updates.is_none(),
        updates: updates.unwrap_or_default(),
    };
    let rules = policy.rules.iter().map(|rule| match &rule.action {
        Action::Set(changes) => of(&rule.table, Some(changes.keys().cloned().collect())),
        Action::Delete | Action::Archive { .. } | Action::DropPartition => of(&rule.table, None),
    });
    let of_row = |table: &TableName, row: &SubjectRow| match row {
        SubjectRow::Set(changes) => of(table, Some(changes.keys().cloned().collect())),
        SubjectRow::Delete => of(table, None),
    };
    let subjects = policy.subject.iter().flat_map(|subject| {
        let references = subject.references.iter().map(|reference| of_row(&reference.table, &reference.action));
        references.chain([of_row(&subject.table, &subject.row)])
    });
    let queue =
        queue::of(policy).map(|queue| TableWork { deletes: true, ..of(&queue.table, Some(vec!["taken".to_owned()])) });
    let mut works: Vec<TableWork> = rules.chain(subjects).chain(queue).collect();
    works.dedup();
    works
}
