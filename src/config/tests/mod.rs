//! What is said about a configuration, as tables and as text.
#![allow(clippy::unwrap_used)]

mod damage;
mod layers;
mod mistakes;
mod privacy;
mod shown;
mod tables;

use std::collections::BTreeMap;

use insta::assert_snapshot;

use super::load::load_texts;
use super::*;

const BASE: &str = r#"
[databases.app]
url = "sqlite:///srv/app.db"
[stores.local]
kind = "local"
path = "/var/backups/caretaker"
"#;

fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load_all(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Loaded, Vec<Diagnostic>> {
    load_texts(files.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect(), env(variables))
}

fn load_one(text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    load_all(&[("caretaker.toml", text)], &[])
}

/// A job on top of [`BASE`], with these lines in it.
fn job(lines: &str) -> Result<Loaded, Vec<Diagnostic>> {
    load_one(&format!(
        "[backup.nightly]\ndatabase = \"app\"\nstores = [\"local\"]\nretention = \"gfs\"\n{lines}\n{BASE}"
    ))
}

fn said(result: &Result<Loaded, Vec<Diagnostic>>) -> Vec<String> {
    let found = match result {
        Ok(loaded) => &loaded.warnings,
        Err(found) => found,
    };
    found.iter().map(|diagnostic| format!("{}: {diagnostic}", diagnostic.severity.as_str())).collect()
}

fn rendered(result: &Result<Loaded, Vec<Diagnostic>>) -> String {
    let found = match result {
        Ok(loaded) => &loaded.warnings,
        Err(found) => found,
    };
    found.iter().map(|diagnostic| diagnostic.render(false)).collect::<Vec<_>>().join("\n\n")
}
