//! Takes secrets out of text that is about to be shown: an excerpt of a file, a value of the configuration.
//!
//! A diagnostic shows the line it is about, and the line may hold a password: in a URL, or because somebody wrote
//! `password = "…"` where only `password_file` is known. What is cut here is cut by its looks, so that it works on lines
//! that are not valid TOML too; in doubt, too much is cut.

use std::ops::Range;

/// What stands instead of a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// The words that, in the name of a key or parameter, announce a secret.
const SECRET_WORDS: [&str; 8] =
    ["password", "passwd", "secret", "passphrase", "token", "access_key", "routing_key", "authorization"];
/// The endings of names that say where a secret is, not what it is.
const POINTERS: [&str; 4] = ["_file", "_command", "_env", "_credential"];
const AGE_IDENTITY: &str = "age-secret-key-";

/// The text without its secrets.
pub(super) fn text(text: &str) -> String {
    with_span(text, 0..0).0
}

/// The text without its secrets, and the span moved to the same place in it.
pub(super) fn with_span(text: &str, span: Range<usize>) -> (String, Range<usize>) {
    let secrets = secrets(text);
    let mut clean = String::with_capacity(text.len());
    let mut copied = 0;
    for secret in &secrets {
        clean.push_str(&text[copied..secret.start]);
        clean.push_str(REDACTED);
        copied = secret.end;
    }
    clean.push_str(&text[copied..]);
    let moved = |position: usize, is_end: bool| {
        let mut shift = 0isize;
        for secret in secrets.iter().take_while(|secret| secret.start < position) {
            if position < secret.end {
                let edge = if is_end { REDACTED.len() } else { 0 };
                return (secret.start + edge).saturating_add_signed(shift);
            }
            shift += REDACTED.len() as isize - secret.len() as isize;
        }
        position.saturating_add_signed(shift)
    };
    let span = moved(span.start, false)..moved(span.end, true);
    (clean, span)
}

/// Where secrets stand: sorted, apart from each other, at character boundaries.
fn secrets(text: &str) -> Vec<Range<usize>> {
    // ASCII only, so that positions are those of `text`.
    let lower = text.to_ascii_lowercase();
    let mut found: Vec<Range<usize>> =
        lower.match_indices("://").filter_map(|(at, _)| url_password(text, at)).collect();
    found.extend(lower.match_indices("postgres").filter_map(|(at, _)| damaged_url_password(text, at)));
    for word in SECRET_WORDS {
        found.extend(lower.match_indices(word).filter_map(|(at, _)| assigned(&lower, at)));
    }
    // A webhook's address is its password.
    let addresses = lower.match_indices("url").filter_map(|(at, _)| assigned(&lower, at));
    found.extend(addresses.filter(|range| lower[range.clone()].starts_with("http")));
    found.extend(lower.match_indices(AGE_IDENTITY).map(|(at, _)| {
        let length = lower[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(lower.len() - at);
        at..at + length
    }));
    found.retain(|range| !range.is_empty());
    found.sort_by_key(|range| range.start);
    let mut apart: Vec<Range<usize>> = Vec::new();
    for range in found {
        match apart.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

/// The password of the URL whose `://` is at `at`.
fn url_password(text: &str, at: usize) -> Option<Range<usize>> {
    let scheme = text[..at].trim_end_matches(is_scheme);
    login_password(text, scheme, at + "://".len())
}

/// The same for a URL whose scheme begins at `at`, and which may lack a slash or the colon.
fn damaged_url_password(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text[at..].trim_start_matches(is_scheme).trim_start_matches([':', '/']);
    login_password(text, &text[..at], text.len() - rest.len())
}

fn is_scheme(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+.-".contains(c)
}

/// The password of the login that begins at `start`, in a string that begins after `before`: all between the first `:`
/// and the last `@`, so that a password with a forgotten `%40` or `%2F` is cut whole.
fn login_password(text: &str, before: &str, start: usize) -> Option<Range<usize>> {
    let quote = before.chars().next_back().filter(|c| matches!(c, '"' | '\''));
    let end = start + string_length(&text[start..], quote);
    let host = start + text[start..end].rfind('@')?;
    let password = start + text[start..host].find(':')? + 1;
    Some(password..host)
}

/// The value assigned to the name that holds the word at `at`: `password = "…"`, `?password=…&`, `X__PASSWORD=…`.
fn assigned(lower: &str, at: usize) -> Option<Range<usize>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let before = lower[..at].char_indices().rfind(|(_, c)| !is_name(*c));
    let name_start = before.map_or(0, |(at, c)| at + c.len_utf8());
    let name_end = at + lower[at..].find(|c| !is_name(c))?;
    let name = &lower[name_start..name_end];
    if POINTERS.iter().any(|ending| name.ends_with(ending)) {
        return None;
    }
    let after = lower[name_end..].trim_start_matches(['"', '\'']).trim_start().strip_prefix('=')?;
    let value = after.trim_start_matches([' ', '\t']);
    let mut start = lower.len() - value.len();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let length = match quote {
        Some(quote) => {
            let triple = quote.to_string().repeat(3);
            if value.starts_with(&triple) {
                start += 3;
                let inner = &lower[start..];
                inner.find(&triple).unwrap_or(inner.len())
            } else {
                start += 1;
                string_length(&lower[start..], Some(quote))
            }
        }
        // An environment variable's value goes to the end of the line, spaces included.
        None if name.contains("__") => string_length(value, None),
        None => value.find(|c: char| c.is_whitespace() || "&#\"'".contains(c)).unwrap_or(value.len()),
    };
    Some(start..start + length)
}

/// How far a string reaches: to its closing quote that is not escaped, or to the end of the line.
fn string_length(text: &str, quote: Option<char>) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '\n' | '\r' => return at,
            _ if escaped => escaped = false,
            '\\' if quote == Some('"') => escaped = true,
            _ if Some(c) == quote => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_cut_wherever_they_stand() {
        for (dirty, clean) in [
            (r#"url = "postgres://u:pw@h/db""#, r#"url = "postgres://u:[redacted]@h/db""#),
            (r#"url = "postgres://u:p@w/x@h/db" # a@b"#, r#"url = "postgres://u:[redacted]@h/db" # a@b"#),
            (r#"url = "postgres://u:p\"w@h/db""#, r#"url = "postgres://u:[redacted]@h/db""#),
            ("url = 'postgres://u:p\"w@h/db", "url = 'postgres://u:[redacted]@h/db"),
            ("X=postgres://u:p\"w@h/db", "X=postgres://u:[redacted]@h/db"),
            (r#"url = "postgres://u@h:5432/db""#, r#"url = "postgres://u@h:5432/db""#),
            (r#"endpoint = "https://h:9000/x""#, r#"endpoint = "https://h:9000/x""#),
            (r#"url = "https://hooks.example.org/services/T0/B0/x""#, r#"url = "[redacted]""#),
            (r#"url_file = "/etc/x""#, r#"url_file = "/etc/x""#),
            (r#"token_credential = "x""#, r#"token_credential = "x""#),
            (r#"url = "postgres:/u:pw@h/db""#, r#"url = "postgres:/u:[redacted]@h/db""#),
            (r#"url = "postgresql//u:pw@h/db""#, r#"url = "postgresql//u:[redacted]@h/db""#),
            (r#"url = "postgres://postgres:pw@postgres/db""#, r#"url = "postgres://postgres:[redacted]@postgres/db""#),
            ("postgres://h/db?user=u&password=pw&sslmode=x", "postgres://h/db?user=u&password=[redacted]&sslmode=x"),
            (r#"password = "two words""#, r#"password = "[redacted]""#),
            ("password = '''\nsecret\n'''", "password = '''[redacted]'''"),
            (r#""Secret_Access_Key"="x""#, r#""Secret_Access_Key"="[redacted]""#),
            ("CARETAKER__DATABASES__APP__PASSWORD=two words", "CARETAKER__DATABASES__APP__PASSWORD=[redacted]"),
            (r#"password_file = "/etc/x""#, r#"password_file = "/etc/x""#),
            (r#"x = ["AGE-SECRET-KEY-1ABC", "y"]"#, r#"x = ["[redacted]", "y"]"#),
            ("größe\u{fc}password=pw", "größe\u{fc}password=[redacted]"),
            ("пароль: postgres://ü:ß@h/d", "пароль: postgres://ü:[redacted]@h/d"),
        ] {
            assert_eq!(text(dirty), clean);
        }
    }

    #[test]
    fn a_span_stays_on_the_same_text() {
        let line = r#"a = { url = "postgres://u:hunter2-hunter2@h/db", shedule = 1 }"#;
        let at = line.find("shedule").unwrap();
        let (clean, span) = with_span(line, at..at + 7);
        assert_eq!(&clean[span], "shedule");
        let url = line.find("\"postgres").unwrap();
        let (clean, span) = with_span(line, url..line.find(", she").unwrap());
        assert_eq!(&clean[span], r#""postgres://u:[redacted]@h/db""#);
    }
}
