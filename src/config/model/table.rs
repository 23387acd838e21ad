//! The name of a table as people write it.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A table: `users`, `audit.events`, `"odd.name"`, `public."Users"`. Names are taken as they stand: `Users` is not `users`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The schema; `None`: whatever the search path finds.
    pub schema: Option<String>,
    /// The table's own name.
    pub name: String,
}

/// Not the name of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a table")]
pub struct TableNameError(pub String);

impl TableName {
    /// The parts of a dotted name; a part in double quotes may hold dots, and doubled quotes.
    pub fn parts(text: &str) -> Result<Vec<String>, TableNameError> {
        let wrong = || TableNameError(text.to_owned());
        let mut parts = Vec::new();
        let mut rest = text.trim();
        loop {
            let (part, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted_part(quoted).ok_or_else(wrong)?,
                None => {
                    let end = rest.find('.').unwrap_or(rest.len());
                    (rest[..end].to_owned(), &rest[end..])
                }
            };
            if part.is_empty() || part.contains('\0') {
                return Err(wrong());
            }
            parts.push(part);
            match after {
                "" => return Ok(parts),
                _ => rest = after.strip_prefix('.').ok_or_else(wrong)?,
            }
        }
    }

    /// A table and one of its columns: `users.email`, `audit.events.ip`.
    pub fn with_column(text: &str) -> Result<(Self, String), TableNameError> {
        let wrong = || TableNameError(text.to_owned());
        let mut parts = Self::parts(text)?;
        let column = parts.pop().ok_or_else(wrong)?;
        Ok((Self::of(parts).ok_or_else(wrong)?, column))
    }

    fn of(mut parts: Vec<String>) -> Option<Self> {
        let name = parts.pop()?;
        let schema = parts.pop();
        parts.is_empty().then_some(Self { schema, name })
    }
}

/// A part up to its closing quote, and what follows.
fn quoted_part(mut rest: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    loop {
        let (piece, after) = rest.split_once('"')?;
        part.push_str(piece);
        match after.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, after)),
        }
    }
}

impl FromStr for TableName {
    type Err = TableNameError;
    fn from_str(text: &str) -> Result<Self, TableNameError> {
        Self::of(Self::parts(text)?).ok_or_else(|| TableNameError(text.to_owned()))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |text: &str| match text.contains(['.', '"', ' ']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_owned(),
        };
        match &self.schema {
            Some(schema) => write!(f, "{}.{}", part(schema), part(&self.name)),
            None => f.write_str(&part(&self.name)),
        }
    }
}

impl Serialize for TableName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let cases = [
            ("users", (None, "users")),
            ("audit.events", (Some("audit"), "events")),
            (r#""odd.name""#, (None, "odd.name")),
            (r#"public."Us""ers""#, (Some("public"), r#"Us"ers"#)),
        ];
        for (text, (schema, name)) in cases {
            let table: TableName = text.parse().unwrap();
            assert_eq!((table.schema.as_deref(), table.name.as_str()), (schema, name), "{text}");
            assert_eq!(table.to_string().parse::<TableName>().unwrap(), table);
        }
        for wrong in ["", ".", "a.", ".a", "a.b.c", r#""open"#, r#""a"b"#, "a\0b"] {
            assert!(wrong.parse::<TableName>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_column_is_the_last_part() {
        let (table, column) = TableName::with_column("audit.events.ip").unwrap();
        assert_eq!((table.to_string().as_str(), column.as_str()), ("audit.events", "ip"));
        assert!(TableName::with_column("ip").is_err());
    }
}
