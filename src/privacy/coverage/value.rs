//! What one value looks like: an email address, a telephone number, an IP address. Pure.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What ends a file's name, not a domain.
const EXTENSIONS: &[&str] =
    &["png", "jpg", "jpeg", "gif", "svg", "webp", "js", "ts", "css", "json", "html", "php", "py", "rs", "so", "txt"];

/// An email address and nothing else. Those of `.invalid` reach nobody (RFC 2606), and `git@` is no person.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let local_is_right = (1..=64).contains(&local.len())
        && local != "git"
        && !local.starts_with('.')
        && !local.ends_with('.')
        && local.chars().all(|c| c.is_alphanumeric() || "._%+'-".contains(c));
    let labels: Vec<&str> = domain.split('.').collect();
    let Some(top) = labels.last().map(|label| label.to_lowercase()) else { return false };
    local_is_right
        && labels.len() >= 2
        && domain.len() <= 253
        && labels.iter().all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        })
        && (top.starts_with("xn--") || ((2..=24).contains(&top.len()) && top.chars().all(char::is_alphabetic)))
        && top != "invalid"
        && !EXTENSIONS.contains(&top.as_str())
}

/// Whether there is an email address somewhere in a text.
pub(super) fn holds_email(text: &str) -> bool {
    let belongs = |c: char| c.is_alphanumeric() || "._%+'-".contains(c);
    text.match_indices('@').any(|(at, _)| {
        let start =
            text[..at].char_indices().rev().take_while(|(_, c)| belongs(*c)).last().map_or(at, |(from, _)| from);
        let after = &text[at + 1..];
        let end = after.find(|c: char| !(c.is_alphanumeric() || ".-".contains(c))).unwrap_or(after.len());
        is_email(text[start..at + 1 + end].trim_start_matches('\'').trim_end_matches(['.', '-']))
    })
}

/// An address of one machine that may be somebody's; networks, this machine and no machine are not.
pub(super) fn ip(text: &str) -> Option<IpAddr> {
    let host = text.strip_suffix("/32").or_else(|| text.strip_suffix("/128")).unwrap_or(text);
    let ip = match host.parse::<IpAddr>() {
        Ok(ip) => ip,
        Err(_) => host.parse::<SocketAddr>().ok()?.ip(),
    };
    let is_somebodys = match ip {
        IpAddr::V6(ip) => ip != Ipv6Addr::UNSPECIFIED && !ip.is_loopback() && !ip.is_multicast(),
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_loopback() && !ip.is_broadcast() && !ip.is_multicast(),
    };
    is_somebodys.then_some(ip)
}

/// Whether an address can hardly be the number of a version, whose parts are small.
pub(super) fn is_no_version(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets().iter().any(|octet| *octet > 99),
        IpAddr::V6(_) => true,
    }
}

/// Whether there is an IP address somewhere in a text, after no word like `version`.
pub(super) fn holds_ip(text: &str) -> bool {
    let mut before = "";
    for token in text.split(|c: char| c.is_whitespace() || ",;()[]{}\"'=<>".contains(c)).filter(|it| !it.is_empty()) {
        let found = ip(token.trim_end_matches(['.', ':']));
        let is_version = before.to_lowercase().trim_end_matches(':').ends_with("version");
        if !is_version && found.is_some_and(|ip| is_no_version(&ip)) {
            return true;
        }
        before = token;
    }
    false
}

/// A telephone number as only telephone numbers are written: `+43 664 1234567`, `(555) 234-5678`, `0664/1234567`.
pub(super) fn is_phone(text: &str) -> bool {
    let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
    let rest = text.strip_prefix('+').unwrap_or(text);
    if !rest.chars().all(|c| c.is_ascii_digit() || " -./()".contains(c))
        || !text.ends_with(|c: char| c.is_ascii_digit())
    {
        return false;
    }
    if text.starts_with('+') {
        return (8..=15).contains(&digits.len()) && digits[0] != '0';
    }
    is_north_american(text, &digits) || is_national(text, &digits)
}

/// Where the column says that it holds telephone numbers, any digits that could be one.
pub(super) fn could_be_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (7..=15).contains(&digits) && text.chars().all(|c| c.is_ascii_digit() || " +-./()".contains(c)) && !is_date(text)
}

/// `555-234-5678`, `(555) 234-5678`, `1-555-234-5678`: area and exchange begin with 2 to 9 (North American Numbering Plan).
fn is_north_american(text: &str, digits: &[char]) -> bool {
    let text = text.strip_prefix("1-").or_else(|| text.strip_prefix("1 ")).unwrap_or(text);
    let ten = if digits.len() == 11 && digits[0] == '1' { &digits[1..] } else { digits };
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    let shapes = ["999-999-9999", "(999) 999-9999", "(999)999-9999", "999.999.9999", "999 999 9999", "999 999-9999"];
    ten.len() == 10 && shapes.contains(&shape.as_str()) && ten[0] >= '2' && ten[3] >= '2'
}

/// `0664 1234567`, `030/123 45 67`: a trunk prefix, an area, a separator.
fn is_national(text: &str, digits: &[char]) -> bool {
    let area = text.find([' ', '/']).unwrap_or(0);
    digits.first() == Some(&'0')
        && digits.get(1).is_some_and(|digit| *digit != '0')
        && (9..=13).contains(&digits.len())
        && (3..=6).contains(&area)
        && text[..area].chars().all(|c| c.is_ascii_digit())
        && !is_date(text)
}

/// `2026-01-31`, `31.01.2026`, `01/31/2026 10:00`
fn is_date(text: &str) -> bool {
    let parts: Vec<usize> =
        text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).map(str::len).collect();
    matches!(parts.as_slice(), [4, 1 | 2, 1 | 2, ..] | [1 | 2, 1 | 2, 4, ..])
}

/// Whether there is a telephone number somewhere in a text: with its country's `+`, or in the North American form.
pub(super) fn holds_phone(text: &str) -> bool {
    let runs = text.split(|c: char| !(c.is_ascii_digit() || " +-./()".contains(c)));
    runs.flat_map(|run| run.split("  ")).any(|run| {
        let run = run.trim_matches(|c: char| !(c.is_ascii_digit() || c == '+' || c == '('));
        let digits: Vec<char> = run.chars().filter(char::is_ascii_digit).collect();
        let begins = run.rfind('+').map_or("", |at| &run[at..]);
        (digits.len() >= 9 && begins.len() == run.len() && is_phone(run)) || is_north_american(run, &digits)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_addresses_are_told_from_what_only_has_an_at() {
        for yes in ["alice@example.com", "o'neil+x@mail.co.uk", "jörg@bücher.de"] {
            assert!(is_email(yes), "{yes}");
        }
        for no in
            ["alice", "logo@2x.png", "react@18.2.0", "git@github.com", "x@localhost", "fake@example.invalid", "@a.com"]
        {
            assert!(!is_email(no), "{no}");
        }
        assert!(holds_email("Please write to <alice@example.com>."));
        assert!(holds_email("{\"mail\":\"alice@example.com\"}"));
        assert!(!holds_email("meet @ 10 a.m., see logo@2x.png or git@github.com:a/b.git"));
    }

    #[test]
    fn telephone_numbers_are_told_from_dates_prices_and_identifiers() {
        for yes in
            ["+43 664 1234567", "+1 (555) 234-5678", "(555) 234-5678", "555-234-5678", "0664/1234567", "030 1234567"]
        {
            assert!(is_phone(yes), "{yes}");
        }
        for no in [
            "2026-01-31",
            "31.01.2026",
            "01/02/2024",
            "1299.00",
            "123-45-6789",
            "192.168.10.20",
            "20260131",
            "1767225600",
            "+1500",
            "123-456-7890",
            "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
            "2026-01-31 10:00:00+00",
            "0012/2024",
            "1.2.3",
        ] {
            assert!(!is_phone(no), "{no}");
        }
        assert!(holds_phone("call me at +43 664 1234567, please"));
        assert!(holds_phone("or 555-234-5678."));
        assert!(!holds_phone("from 2026-01-31 10:00:00+00 to 2026-02-01, order 123-456-7890"));
    }

    #[test]
    fn addresses_are_told_from_versions_and_times() {
        assert!(ip("203.0.113.7").is_some() && ip("2001:db8::1").is_some() && ip("10.0.0.5:443").is_some());
        for no in ["127.0.0.1", "0.0.0.0", "10.0.0.0/8", "12:34:56", "1.2.3", "aa:bb:cc:dd:ee:ff", "::1"] {
            assert!(ip(no).is_none(), "{no}");
        }
        assert!(ip("1.2.3.4").is_some_and(|ip| !is_no_version(&ip)));
        assert!(holds_ip("login from 203.0.113.7 failed"));
        assert!(!holds_ip("upgraded to version 203.0.113.7, before 1.2.3.4"));
    }
}
