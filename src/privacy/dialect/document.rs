//! Rows as JSON documents, made where they are so that nothing is lost on the way; and what tells that a row is still the
//! one that was read.

use super::Dialect;
use crate::database::schema::{Column, Family, Table};
use crate::privacy::fragment::Fragment;

/// A row as `{"column": value, …}`. `value`: an expression that gives a column's JSON, never NULL.
pub(super) fn line(table: &Table, dialect: &dyn Dialect, value: impl Fn(&str, &Column) -> String) -> Fragment {
    let members = table.columns.iter().enumerate().map(|(at, column)| {
        let name = serde_json::Value::from(column.name.as_str()).to_string().replace('\'', "''");
        let before = if at == 0 { "{" } else { "," };
        format!("'{before}{name}:' || {}", value(&dialect.name(&column.name), column))
    });
    let members: Vec<String> = members.collect();
    // A chain of many would be too deep for the server's parser.
    let groups: Vec<String> = members.chunks(40).map(|group| format!("({})", group.join(" || "))).collect();
    let open = if groups.is_empty() { "'{'".to_owned() } else { groups.join(" || ") };
    Fragment::text(format!("({open} || '}}')"))
}

/// PostgreSQL: numbers, truth values and JSON documents as such, everything else as the text that its type reads again.
pub(super) fn postgres(name: &str, column: &Column) -> String {
    let json = match column.family {
        Family::Integer | Family::Boolean => format!("{name}::text"),
        // A document of type json keeps its line ends, which can only stand between its words. The document null is not NULL.
        Family::Json => format!(
            "CASE btrim({name}::text, E' \\n\\r\\t') WHEN 'null' THEN '{{\"$json\":null}}' \
             ELSE translate({name}::text, E'\\n\\r', '  ') END"
        ),
        _ => format!("to_json({name}::text)::text"),
    };
    format!("coalesce({json}, 'null')")
}

/// SQLite: by a function that sees the value's storage class.
pub(super) fn sqlite(name: &str) -> String {
    format!("caretaker_json({name})")
}
