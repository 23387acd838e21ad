//! A libpq connection string for the tools. It holds no password.

use super::connection::Endpoint;
use super::tls::TlsFiles;
use crate::config::PostgresTarget;

/// `host='…' port='…' …`, for the host that answered us.
pub(super) fn conninfo(target: &PostgresTarget, endpoint: &Endpoint, dbname: &str) -> String {
    let files = TlsFiles::of(target);
    let path = |path: Option<std::path::PathBuf>| path.map(|path| path.to_string_lossy().into_owned());
    let pairs = [
        ("host", Some(endpoint.host.clone())),
        ("port", Some(endpoint.port.to_string())),
        ("user", Some(target.user.clone())),
        ("dbname", Some(dbname.to_owned())),
        ("sslmode", Some(target.sslmode.as_str().to_owned())),
        ("sslrootcert", path(files.root)),
        ("sslcert", path(files.cert)),
        ("sslkey", path(files.key)),
        ("connect_timeout", Some(target.connect_timeout.max(2).to_string())),
        // A firewall that forgets the connection is noticed within minutes, not after the kernel's two hours.
        ("keepalives_idle", Some("60".to_owned())),
        ("options", target.options.clone()),
    ];
    let pairs: Vec<String> =
        pairs.iter().filter_map(|(key, value)| value.as_ref().map(|value| format!("{key}={}", quote(value)))).collect();
    pairs.join(" ")
}

/// A database's name where libpq also takes a connection string: as one, so that `a=b` stays a name.
pub(super) fn dbname(name: &str) -> String {
    format!("dbname={}", quote(name))
}

fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awkward_values_are_quoted() {
        assert_eq!(dbname(r"it's a=b \ c"), r"dbname='it\'s a=b \\ c'");
        assert_eq!(dbname(""), "dbname=''");
    }
}
