//! Settings from environment variables: `CARETAKER__BACKUP__NIGHTLY__SCHEDULE`.

use std::collections::BTreeMap;

use ::config::{Map, Value, ValueKind};

use super::{Origin, PREFIX};

/// The settings among the variables as a tree, and which variable made which. Names are compared in lower case; where
/// the files have a name with `-`, which no shell takes in a variable, `_` stands for it.
pub(super) fn read(
    env: &BTreeMap<String, String>,
    files: &Map<String, Value>,
) -> (Map<String, Value>, BTreeMap<Vec<String>, String>) {
    let mut root = Map::new();
    let mut made = BTreeMap::new();
    for (name, value) in env {
        let Some(setting) = name.strip_prefix(PREFIX) else { continue };
        let mut path = Vec::new();
        let mut known = Some(files);
        for part in setting.to_lowercase().split("__") {
            let part = match known {
                Some(table) if !table.contains_key(part) => {
                    table.keys().find(|key| key.replace('-', "_") == part).cloned().unwrap_or_else(|| part.to_owned())
                }
                _ => part.to_owned(),
            };
            known = known.and_then(|table| match table.get(&part).map(|value| &value.kind) {
                Some(ValueKind::Table(table)) => Some(table),
                _ => None,
            });
            path.push(part);
        }
        let origin = Origin::Variable(name.clone()).encode();
        insert(&mut root, &path, Value::new(Some(&origin), ValueKind::String(value.clone())));
        made.insert(path, name.clone());
    }
    (root, made)
}

fn insert(table: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            // `X=…` beside `X__Y=…`: the longer one wins, as nothing is both a value and a table.
            if !matches!(table.get(last).map(|value| &value.kind), Some(ValueKind::Table(_))) {
                table.insert(last.clone(), value);
            }
        }
        [first, rest @ ..] => {
            let below = table.entry(first.clone()).or_insert_with(|| Value::from(Map::<String, Value>::new()));
            if !matches!(below.kind, ValueKind::Table(_)) {
                *below = Value::from(Map::<String, Value>::new());
            }
            if let ValueKind::Table(below) = &mut below.kind {
                insert(below, rest, value);
            }
        }
    }
}
