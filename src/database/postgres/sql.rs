//! The one place where SQL text is put together: quoted identifiers, literals, column lists.

use std::fmt;

use sqlx::AssertSqlSafe;

/// PostgreSQL's NAMEDATALEN − 1: longer names are cut silently by the server.
const MAX_IDENTIFIER_BYTES: usize = 63;

/// A name of a database, schema, table or column. Its `Display` is quoted, fit for SQL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(String);

/// Not a name PostgreSQL could hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be a name in PostgreSQL: 1 to 63 bytes without NUL")]
pub struct IdentifierError(pub String);

impl Identifier {
    /// Takes a name as it stands in the catalogue, unquoted.
    pub fn new(name: &str) -> Result<Self, IdentifierError> {
        if name.is_empty() || name.len() > MAX_IDENTIFIER_BYTES || name.contains('\0') {
            return Err(IdentifierError(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name itself, unquoted.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// A string literal; `E'…'` when it holds a backslash, so that `standard_conforming_strings` does not matter.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// Marks SQL made only of fixed text, [`Identifier`]s and [`literal`]s.
pub(super) fn dynamic(sql: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql)
}

/// Reads a column list as pg_dump writes it (`id, "odd ""name""", état`). It comes from a manifest, which anybody with
/// access to the store can edit, so it is parsed and quoted again rather than pasted into SQL.
pub(super) fn parse_columns(list: &str) -> Result<Vec<Identifier>, IdentifierError> {
    let wrong = || IdentifierError(list.to_owned());
    let mut columns = Vec::new();
    let mut rest = list.trim();
    while !rest.is_empty() {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let mut name = String::new();
                let mut tail = quoted;
                loop {
                    let (part, after) = tail.split_once('"').ok_or_else(wrong)?;
                    name.push_str(part);
                    match after.strip_prefix('"') {
                        Some(more) => {
                            name.push('"');
                            tail = more;
                        }
                        None => break (name, after),
                    }
                }
            }
            None => {
                let end = rest.find([',', ' ']).unwrap_or(rest.len());
                let (name, after) = rest.split_at(end);
                if !name.chars().all(|c| c == '_' || c == '$' || c.is_ascii_alphanumeric() || !c.is_ascii()) {
                    return Err(wrong());
                }
                (name.to_owned(), after)
            }
        };
        columns.push(Identifier::new(&name)?);
        rest = match after.trim_start() {
            "" => "",
            more => match more.strip_prefix(',').map(str::trim_start) {
                Some(next) if !next.is_empty() => next,
                _ => return Err(wrong()),
            },
        };
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn identifiers_are_quoted_and_bounded() {
        assert_eq!(Identifier::new(r#"a "b" c"#).unwrap().to_string(), r#""a ""b"" c""#);
        assert!(Identifier::new(&"x".repeat(63)).is_ok());
        for wrong in ["", "a\0b", &"x".repeat(64)] {
            assert!(Identifier::new(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn literals_survive_quotes_and_backslashes() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'b"), r"E'a\\''b'");
    }

    #[test]
    fn column_lists_of_pg_dump_are_read_back() {
        let names =
            |list: &str| parse_columns(list).map(|c| c.iter().map(|c| c.as_str().to_owned()).collect::<Vec<_>>());
        assert_eq!(names("").unwrap(), Vec::<String>::new());
        assert_eq!(names(r#"id, "odd ""name""", "a, b", "état""#).unwrap(), ["id", r#"odd "name""#, "a, b", "état"]);
        for wrong in ["a b", "a,", r#""open"#, "a; DROP TABLE x", "a) TO PROGRAM 'x'", r#""a"b"#, ",a"] {
            assert!(names(wrong).is_err(), "{wrong}");
        }
    }
}
