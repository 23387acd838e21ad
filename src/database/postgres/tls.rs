//! libpq's TLS words in sqlx's terms, so that our connections and the tools' trust the same servers.

use std::path::PathBuf;

use sqlx::postgres::PgSslMode;

use crate::config::{PostgresTarget, SslMode};

/// Where distributions keep the authorities the system trusts.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The files that a connection uses, defaults filled in.
#[derive(Debug, Clone, Default)]
pub(super) struct TlsFiles {
    pub root: Option<PathBuf>,
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

impl TlsFiles {
    /// The target's own files, else libpq's: the `PGSSL*` variables, `~/.postgresql`, and for a verifying mode the
    /// system's authorities, which libpq before 16 does not look for by itself.
    pub fn of(target: &PostgresTarget) -> Self {
        let home = |name: &str| std::env::home_dir().map(|home| home.join(".postgresql").join(name));
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let existing = |path: Option<PathBuf>| path.filter(|path| path.is_file());
        let system = || SYSTEM_BUNDLES.iter().map(PathBuf::from).find(|path| path.is_file());

        let root = match target.sslrootcert.clone().or_else(|| variable("PGSSLROOTCERT")) {
            Some(path) if path.as_os_str() == "system" => system(),
            Some(path) => Some(path),
            None => {
                existing(home("root.crt")).or_else(|| if target.sslmode >= SslMode::VerifyCa { system() } else { None })
            }
        };
        let cert =
            target.sslcert.clone().or_else(|| variable("PGSSLCERT")).or_else(|| existing(home("postgresql.crt")));
        let key = target.sslkey.clone().or_else(|| variable("PGSSLKEY")).or_else(|| existing(home("postgresql.key")));
        // sqlx wants both or none.
        if cert.is_some() && key.is_some() { Self { root, cert, key } } else { Self { root, cert: None, key: None } }
    }

    /// The first file that cannot be read, and why. The driver would report it like a connection that was cut.
    pub fn unreadable(&self) -> Option<String> {
        let named = [("sslrootcert", &self.root), ("sslcert", &self.cert), ("sslkey", &self.key)];
        named.into_iter().find_map(|(name, path)| {
            let path = path.as_ref()?;
            let error = std::fs::File::open(path).err()?;
            Some(format!("cannot read {name} {}: {error}", path.display()))
        })
    }
}

/// The modes to try one after the other. sqlx takes `allow` for `disable`, and does not fall back to plain text under
/// `prefer` when the server refuses the encrypted session; libpq does both. `require` with a root certificate verifies
/// it, as libpq documents.
pub(super) fn attempts(mode: SslMode, has_root: bool, socket: bool) -> &'static [(PgSslMode, SslMode)] {
    const DISABLE: (PgSslMode, SslMode) = (PgSslMode::Disable, SslMode::Disable);
    const PREFER: (PgSslMode, SslMode) = (PgSslMode::Prefer, SslMode::Prefer);
    const REQUIRE: (PgSslMode, SslMode) = (PgSslMode::Require, SslMode::Require);
    const VERIFY_CA: (PgSslMode, SslMode) = (PgSslMode::VerifyCa, SslMode::VerifyCa);
    const VERIFY_FULL: (PgSslMode, SslMode) = (PgSslMode::VerifyFull, SslMode::VerifyFull);
    if socket {
        return &[DISABLE];
    }
    match mode {
        SslMode::Disable => &[DISABLE],
        SslMode::Allow => &[DISABLE, REQUIRE],
        SslMode::Prefer => &[PREFER, DISABLE],
        SslMode::Require if has_root => &[VERIFY_CA],
        SslMode::Require => &[REQUIRE],
        SslMode::VerifyCa => &[VERIFY_CA],
        SslMode::VerifyFull => &[VERIFY_FULL],
    }
}
