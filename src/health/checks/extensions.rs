//! Extensions in an older version than the server's files would install, as after an upgrade of a package, or whose files
//! are gone, so that the next dump cannot be restored there.

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::{figure, optional};
use crate::health::{PostgresView, Seen, Unseen, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::Extensions,
    about: "extensions in an older version than the server's files, or whose files are gone",
    deep: false,
    warning: Some(1.0),
    critical: None,
    source: "PostgreSQL's manual, ALTER EXTENSION: new files alone bring no fixes of the objects in the database",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

const EXTENSIONS: &str = "SELECT e.extname::text AS name, e.extversion AS installed, a.default_version AS available
    FROM pg_extension e LEFT JOIN pg_available_extensions a ON a.name = e.extname ORDER BY 1";

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let (mut behind, mut others) = (Vec::new(), Vec::new());
    for row in &view.rows(EXTENSIONS).await? {
        let (name, installed): (String, String) = (figure(row, "name")?, figure(row, "installed")?);
        if view.own.exclude.leaves_out(&name) {
            continue;
        }
        match optional::<String>(row, "available")? {
            Some(available) if available == installed => others.push(format!("{name} {installed}")),
            Some(available) => behind.push(format!("{name} {installed}, while the server's files are of {available}")),
            None => behind.push(format!("{name} {installed}, whose files are gone from the server")),
        }
    }
    if behind.is_empty() && others.is_empty() {
        return Err(Unseen::not_applicable("no extension is installed"));
    }
    #[allow(clippy::cast_precision_loss, reason = "a few extensions")]
    let figure = behind.len() as f64;
    let summary = match behind.as_slice() {
        [] => "every extension is of its files' version".to_owned(),
        [one] => one.clone(),
        [first, more @ ..] => format!("{first}; and {} more", more.len()),
    };
    Ok(Verdict::new(view.own.limits.judge(figure), summary).figure(figure).evidence(behind).evidence(others).advice(
        "ALTER EXTENSION … UPDATE in this database, after its release notes; install the files again where they are gone",
    ))
}
