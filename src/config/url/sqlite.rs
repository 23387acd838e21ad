//! SQLite URLs.

use std::path::PathBuf;

use super::parts::{decode, parameters};
use super::{SqliteUrl, UrlError};

/// Parameters that say how an application opens its database, which does not matter to us.
const IGNORED: [&str; 8] =
    ["mode", "cache", "timeout", "check_same_thread", "immutable", "vfs", "uri", "connection_limit"];

/// Reads what stands after `sqlite:`.
pub(super) fn parse(rest: &str, is_sqlalchemy: bool) -> Result<SqliteUrl, UrlError> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = decode(path, "path")?;
    let path = match path.strip_prefix("//") {
        // SQLAlchemy: the third slash ends an empty host name.
        Some(path) if is_sqlalchemy => path.strip_prefix('/').unwrap_or(path),
        Some(path) => path,
        None => &path,
    };
    // `file:` inside is SQLite's own URI form.
    let path = path.strip_prefix("file:").unwrap_or(path);
    if path.is_empty() || path.contains(":memory:") || path.ends_with('/') {
        return Err(UrlError::NoFile);
    }
    let path = match path.strip_prefix("//") {
        Some(path) => format!("/{}", path.trim_start_matches('/')),
        None => path.to_owned(),
    };
    let mut unknown = Vec::new();
    for (name, value) in parameters(query)? {
        if name == "mode" && value == "memory" {
            return Err(UrlError::NoFile);
        }
        if !IGNORED.contains(&name.as_str()) {
            unknown.push(name);
        }
    }
    Ok(SqliteUrl { path: PathBuf::from(path), unknown })
}
