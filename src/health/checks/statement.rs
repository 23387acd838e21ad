//! The text of a statement without what may be people's data or a password: its literals and comments. pg_stat_statements
//! puts `$1` where literals were, but before PostgreSQL 16 not in utility statements (`ALTER ROLE … PASSWORD '…'`), and in
//! no version where the entry was thrown out while the statement ran; pg_stat_activity has everything as it was sent.

use std::iter::Peekable;
use std::str::Chars;

/// How much of a statement is shown, in characters.
const SHOWN: usize = 200;

/// Statements that are shown beyond their first words. Of others (`ALTER ROLE`, `COPY`, `DO`) nobody needs more.
const WHOLE: [&str; 8] = ["select", "insert", "update", "delete", "merge", "with", "values", "table"];

/// The statement on one line, with `?` in place of its literals: `UPDATE account SET balance = ? WHERE id = ?`.
pub(super) fn shown(query: &str) -> String {
    // With standard_conforming_strings off, and in E'', a backslash may hide the end of a string.
    let text = if query.contains('\\') { first_words(query) } else { without_literals(query) };
    let keyword = text.trim_start_matches('(').split([' ', '(']).next().unwrap_or_default().to_lowercase();
    let text = if WHOLE.contains(&keyword.as_str()) { text } else { first_words(&text) };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// `ALTER ROLE …`
fn first_words(query: &str) -> String {
    let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_alphabetic() || c == ';');
    let words: Vec<&str> = query.split_whitespace().take(2).take_while(is_word).collect();
    let rest = if query.split_whitespace().count() > words.len() { " …" } else { "" };
    format!("{}{rest}", words.join(" ")).trim_start().to_owned()
}

/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>; what has no end goes to the end of the text, which
/// the server may have cut off.
fn without_literals(query: &str) -> String {
    let (mut out, mut rest) = (String::new(), query.chars().peekable());
    while let Some(c) = rest.next() {
        let in_name = out.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        match c {
            '\'' => {
                through_quote(&mut rest, '\'', |_| {});
                out.push('?');
            }
            '"' => {
                out.push('"');
                through_quote(&mut rest, '"', |c| out.push(c));
                out.push('"');
            }
            '$' if !in_name => dollar(&mut rest, &mut out),
            '-' if rest.peek() == Some(&'-') => {
                let _ = rest.by_ref().find(|c| *c == '\n');
                space(&mut out);
            }
            '/' if rest.peek() == Some(&'*') => {
                through_comment(&mut rest);
                space(&mut out);
            }
            c if c.is_whitespace() => space(&mut out),
            c if c.is_ascii_digit() && !in_name => {
                while rest.next_if(|c| c.is_alphanumeric() || matches!(c, '.' | '_')).is_some() {}
                out.push('?');
            }
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}

fn space(out: &mut String) {
    if !out.ends_with(' ') {
        out.push(' ');
    }
}

/// To the quote that ends it; two of them are one that belongs to it.
fn through_quote(rest: &mut Peekable<Chars<'_>>, quote: char, mut each: impl FnMut(char)) {
    while let Some(c) = rest.next() {
        if c == quote && rest.next_if_eq(&quote).is_none() {
            return;
        }
        each(c);
    }
}

/// A parameter (`$1`), which stays, or a string between two tags (`$$…$$`).
fn dollar(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    if rest.peek().is_some_and(char::is_ascii_digit) {
        out.push('$');
        while let Some(digit) = rest.next_if(char::is_ascii_digit) {
            out.push(digit);
        }
        return;
    }
    let mut tag = String::from("$");
    while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
        tag.push(c);
    }
    out.push('?');
    if rest.next_if_eq(&'$').is_none() {
        return;
    }
    tag.push('$');
    let mut seen = String::new();
    for c in rest.by_ref() {
        seen.push(c);
        if seen.ends_with(&tag) {
            return;
        }
    }
}

/// Comments may lie within each other.
fn through_comment(rest: &mut Peekable<Chars<'_>>) {
    let (mut depth, mut before) = (1_u32, '*');
    rest.next();
    for c in rest.by_ref() {
        match (before, c) {
            ('*', '/') => depth -= 1,
            ('/', '*') => depth += 1,
            _ => {
                before = c;
                continue;
            }
        }
        if depth == 0 {
            return;
        }
        before = ' ';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_shown_without_its_literals() {
        for (query, expected) in [
            ("SELECT *\n  FROM t1 WHERE id = $1", "SELECT * FROM t1 WHERE id = $1"),
            ("(SELECT a FROM t)", "(SELECT a FROM t)"),
            ("SELECT * FROM person WHERE name = 'Ada' AND id = 4711", "SELECT * FROM person WHERE name = ? AND id = ?"),
            ("SELECT 'it''s', x FROM t", "SELECT ?, x FROM t"),
            ("SELECT $tag$Ada$$ $tag$, $$Ada$$, a$b", "SELECT ?, ?, a$b"),
            ("SELECT a /* Ada /* and */ Bob */ FROM t -- Ada\nWHERE b", "SELECT a FROM t WHERE b"),
            ("SELECT \"a 'quoted' \"\"name\", 1.5e3, t2.x1", "SELECT \"a 'quoted' \"name\", ?, t2.x1"),
            ("SELECT 1; ALTER ROLE app PASSWORD 'secret'", "SELECT ?; ALTER ROLE app PASSWORD ?"),
            ("SELECT 'cut off in the mid", "SELECT ?"),
            ("SELECT $$cut off in the mid", "SELECT ?"),
            ("SELECT 1 /* cut off", "SELECT ?"),
            (r"SELECT E'\' Ada'", "SELECT …"),
            ("ALTER ROLE app PASSWORD 'secret'", "ALTER ROLE …"),
            ("DO $$BEGIN PERFORM 'secret'; END$$", "DO …"),
            ("/* 'x' */ COPY person FROM STDIN", "COPY person …"),
            ("COMMIT", "COMMIT"),
            ("", ""),
        ] {
            assert_eq!(shown(query), expected, "{query}");
        }
        let long = format!("SELECT {}", "é".repeat(300));
        assert_eq!(shown(&long).chars().count(), SHOWN + 1);
    }
}
