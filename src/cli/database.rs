//! `database grants NAME`

use serde_json::json;

use super::args::DatabaseCommand;
use super::exit::{CliError, Exit};
use super::scene::Scene;
use crate::database::Servers;

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
    let grants = connection.grants().await?;
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
