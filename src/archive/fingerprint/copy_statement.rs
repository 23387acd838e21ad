//! The COPY that an entry's `copyStmt` names: `COPY public."odd name" (id, "Name") FROM stdin;`.

/// What a `copyStmt` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CopyStatement {
    /// The schema, unquoted; pg_dump before 10.3 wrote none.
    pub(super) schema: Option<String>,
    /// The table that takes the rows, unquoted.
    pub(super) table: String,
    /// What stands between the parentheses, as it stands there; empty if there are none, as for a table without
    /// columns.
    pub(super) columns: String,
}

impl CopyStatement {
    /// Reads a statement as pg_dump writes it; `None` for anything else, `WITH OIDS` included.
    pub(super) fn parse(statement: &str) -> Option<Self> {
        let rest = statement.strip_prefix("COPY ")?;
        let (first, rest) = identifier(rest)?;
        let (schema, table, rest) = match rest.strip_prefix('.') {
            Some(rest) => {
                let (table, rest) = identifier(rest)?;
                (Some(first), table, rest)
            }
            None => (None, first, rest),
        };
        let rest = rest.strip_prefix(' ')?;
        let (columns, rest) = match rest.strip_prefix('(') {
            Some(list) => {
                let end = closing(list)?;
                (&list[..end], &list[end + 1..])
            }
            None => ("", rest),
        };
        (rest.trim() == "FROM stdin;").then(|| Self { schema, table, columns: columns.to_owned() })
    }
}

/// An identifier, unquoted, and what follows it.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(['.', ' ', '(']).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, rest)),
        }
    }
}

/// Where the list's closing parenthesis is, those inside quoted names aside.
fn closing(list: &str) -> Option<usize> {
    let mut quoted = false;
    list.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b')' && !quoted
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(statement: &str) -> (Option<String>, String, String) {
        let copy = CopyStatement::parse(statement).unwrap();
        (copy.schema, copy.table, copy.columns)
    }

    #[test]
    fn names_and_columns_are_found_whatever_they_hold() {
        let public = || Some("public".to_owned());
        for (statement, schema, table, columns) in [
            ("COPY public.t (a, b) FROM stdin;\n", public(), "t", "a, b"),
            ("COPY public.t  FROM stdin;\n", public(), "t", ""),
            ("COPY t (a) FROM stdin;\n", None, "t", "a"),
            (
                "COPY \"a.b\".\"c \"\"d\"\" (e)\" (\"x)\", \"y\"\")\") FROM stdin;\n",
                Some("a.b".to_owned()),
                "c \"d\" (e)",
                "\"x)\", \"y\"\")\"",
            ),
        ] {
            assert_eq!(parsed(statement), (schema, table.to_owned(), columns.to_owned()), "{statement}");
        }
    }

    #[test]
    fn what_is_not_a_plain_copy_is_refused() {
        for statement in
            ["", "COPY ", "COPY t (a) WITH OIDS FROM stdin;\n", "COPY \"t (a) FROM stdin;\n", "COPY t (a FROM stdin;\n"]
        {
            assert_eq!(CopyStatement::parse(statement), None, "{statement}");
        }
    }
}
