//! The text of a statement, where it surely holds nobody's data. pg_stat_statements puts `$1` where literals were; but
//! before PostgreSQL 16 not in utility statements (`ALTER ROLE … PASSWORD '…'`), and in no version where the entry was
//! thrown out while the statement ran.

/// How much of a statement is shown, in characters.
const SHOWN: usize = 200;

/// Instead of a text that may hold literals.
pub(super) const WITHHELD: &str = "(text not shown: it may hold values)";

/// Keywords of statements whose literals are replaced.
const NORMALISED: [&str; 7] = ["select", "insert", "update", "delete", "merge", "with", "values"];

/// The statement on one line, or [`WITHHELD`].
pub(super) fn shown(query: &str) -> String {
    let line = query.split_whitespace().collect::<Vec<_>>().join(" ");
    let keyword = line.trim_start_matches('(').split(' ').next().unwrap_or_default().to_lowercase();
    if !NORMALISED.contains(&keyword.as_str()) || holds_values(&line) {
        return WITHHELD.to_owned();
    }
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Whether there is a quoted string, a dollar quote, a comment or a bare number.
fn holds_values(line: &str) -> bool {
    if line.contains('\'') || line.contains("--") || line.contains("/*") {
        return true;
    }
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        let part_of_name = before.is_alphanumeric() || before == '_' || before == '$';
        if c.is_ascii_digit() && !part_of_name {
            return true;
        }
        if c == '$' && !part_of_name && !line[at + 1..].starts_with(|c: char| c.is_ascii_digit()) {
            return true;
        }
        before = c;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_normalised_is_shown() {
        for (query, expected) in [
            ("SELECT *\n  FROM t1 WHERE id = $1", "SELECT * FROM t1 WHERE id = $1"),
            ("(SELECT a FROM t)", "(SELECT a FROM t)"),
            ("SELECT * FROM person WHERE name = 'Ada'", WITHHELD),
            ("SELECT * FROM person WHERE id = 4711", WITHHELD),
            ("SELECT $tag$Ada$tag$", WITHHELD),
            ("SELECT $$Ada$$", WITHHELD),
            ("SELECT a /* Ada */ FROM t", WITHHELD),
            ("ALTER ROLE app PASSWORD 'secret'", WITHHELD),
            ("", WITHHELD),
        ] {
            assert_eq!(shown(query), expected, "{query}");
        }
        let long = format!("SELECT {}", "é".repeat(300));
        assert_eq!(shown(&long).chars().count(), SHOWN + 1);
    }
}
