//! `user:password@host:port,host:port/path?name=value&…`, split and percent-decoded.

use percent_encoding::percent_decode_str;

use super::UrlError;

/// What stands after `scheme://`.
pub(super) struct Parts<'a> {
    pub user: Option<String>,
    pub password: Option<String>,
    /// Undecoded, as a decoded one might hold the separators.
    pub hosts: &'a str,
    pub path: String,
    pub parameters: Vec<(String, String)>,
}

impl<'a> Parts<'a> {
    pub fn split(text: &'a str) -> Result<Self, UrlError> {
        // As libpq: a login reaches to an `@` before the first `/`, whatever else is in it. Of several `@` the last one
        // counts, for drivers take a password with an `@` that somebody forgot to encode.
        let region = text.split_once('/').map_or(text, |(before, _)| before);
        let region = match (region.find('@'), region.rfind('?')) {
            (Some(at), Some(query)) if at < query => &region[..at + region[at..].find('?').unwrap_or(query - at)],
            _ => region,
        };
        let (login, rest) = match region.rfind('@') {
            Some(at) => (Some(&text[..at]), &text[at + 1..]),
            None => (None, text),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => (decode(user, "user")?, decode(password, "password")?),
            None => (String::new(), String::new()),
        };
        Ok(Self {
            user: Some(user).filter(|user| !user.is_empty()),
            password: Some(password).filter(|password| !password.is_empty()),
            hosts,
            path: decode(path, "database name")?,
            parameters: parameters(query)?,
        })
    }
}

/// The parameters of a query, in order.
pub(super) fn parameters(query: &str) -> Result<Vec<(String, String)>, UrlError> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name, "query")?, decode(value, "query")?))
        })
        .collect()
}

/// Percent-decodes; `+` is itself, as in libpq.
pub(super) fn decode(text: &str, what: &'static str) -> Result<String, UrlError> {
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr(b'%', rest) {
        let is_encoded = rest.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        if !is_encoded {
            return Err(UrlError::Encoding(what));
        }
        rest = &rest[at + 3..];
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| UrlError::Encoding(what))?;
    if decoded.contains('\0') { Err(UrlError::Encoding(what)) } else { Ok(decoded.into_owned()) }
}
