//! `[privacy.*.columns]`

use std::collections::BTreeMap;

use ::config::ValueKind;

use super::super::super::{Sensitivity, TableName};
use super::super::values::choice;
use super::super::{Problem, Section, Spot};

/// By table (`users = { email = "personal", "*" = "internal" }`), or with the table in front (`"users.email" =
/// "personal"`). `None`: something in it is wrong.
pub(super) fn read(section: &Section<'_>) -> Option<BTreeMap<(TableName, String), Sensitivity>> {
    let mut columns = BTreeMap::new();
    let mut is_right = true;
    for (name, spot) in section.entries("columns") {
        let entries = match &spot.value.kind {
            ValueKind::Table(table) => {
                let mut names: Vec<&String> = table.keys().collect();
                names.sort();
                let below = |column: &String| {
                    let parsed = name.parse::<TableName>().map_err(|error| Problem::new(error.to_string()));
                    (parsed.map(|table| (table, column.clone())), Spot::new(spot.reader, table[column].clone()))
                };
                names.into_iter().map(below).collect()
            }
            _ => {
                let help = "write `\"users.email\" = \"personal\"`, or a table for `users`";
                let split = TableName::with_column(&name).map_err(|error| Problem::new(error.to_string()).help(help));
                vec![(split, spot)]
            }
        };
        for (column, spot) in entries {
            let read = column.and_then(|column| Ok((column, sensitivity(&spot)?)));
            match section.taken(&spot, read) {
                Some((column, sensitivity)) => {
                    columns.insert(column, sensitivity);
                }
                None => is_right = false,
            }
        }
    }
    is_right.then_some(columns)
}

fn sensitivity(spot: &Spot<'_>) -> Result<Sensitivity, Problem> {
    choice(&[
        ("public", Sensitivity::Public),
        ("internal", Sensitivity::Internal),
        ("personal", Sensitivity::Personal),
        ("sensitive", Sensitivity::Sensitive),
    ])(spot)
}
