//! The effective configuration for `config show`: every setting with its value, defaults included, and where it comes
//! from. Secrets never get in.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// One setting in effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its path: `["backup", "nightly", "schedule"]`.
    pub path: Vec<String>,
    /// Its value, secrets replaced by `[redacted]`.
    pub value: Value,
    /// `caretaker.toml:12`, the name of a variable, or `default`.
    pub origin: String,
}

/// The effective configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    pub(super) settings: Vec<Shown>,
}

impl View {
    /// The settings, table by table, in the order in which the configuration is documented.
    pub fn settings(&self) -> &[Shown] {
        &self.settings
    }

    /// As a configuration file, with the origin of each value in a comment.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut table: &[String] = &[];
        for setting in &self.settings {
            let Some((key, above)) = setting.path.split_last() else { continue };
            if above != table {
                table = above;
                let is_element = above.last().is_some_and(|part| part.starts_with('['));
                let parts = above.iter().filter(|part| !part.starts_with('['));
                let name = parts.map(|part| key_text(part)).collect::<Vec<_>>().join(".");
                let space = if text.is_empty() { "" } else { "\n" };
                let header = if is_element { format!("[[{name}]]") } else { format!("[{name}]") };
                let _ = writeln!(text, "{space}{header}");
            }
            let line = format!("{} = {}", key_text(key), value_text(&setting.value));
            let _ = writeln!(text, "{line:<50}  # {}", setting.origin);
        }
        text
    }

    /// As JSON: the tables, with `{"value": …, "origin": "…"}` for each setting.
    pub fn to_json(&self) -> Value {
        let mut root = Map::new();
        for setting in &self.settings {
            insert(&mut root, &setting.path, json!({ "value": setting.value, "origin": setting.origin }));
        }
        Value::Object(root)
    }
}

fn insert(table: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            if let Value::Object(below) = table.entry(key.clone()).or_insert_with(|| json!({})) {
                insert(below, rest, value);
            }
        }
    }
}

fn key_text(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { key.to_owned() } else { toml::Value::from(key).to_string() }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => toml::Value::from(text.as_str()).to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(value_text).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
