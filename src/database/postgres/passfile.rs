//! libpq's password file: looked up by us, so that it is read anew for every connection, and written by us, so that a
//! tool gets its password without argv or environment.
//!
//! Format and rules: <https://www.postgresql.org/docs/current/libpq-pgpass.html>

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

/// Where libpq was built to look for sockets; a connection there matches lines for `localhost`.
const DEFAULT_SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// The password for a connection in `$PGPASSFILE`, else `~/.pgpass`. A file that others may read is left out, as
/// libpq does.
pub(super) fn look_up(host: &str, port: u16, dbname: &str, user: &str) -> Option<SecretString> {
    let path = match std::env::var_os("PGPASSFILE") {
        Some(path) => PathBuf::from(path),
        None => std::env::home_dir()?.join(".pgpass"),
    };
    let file = File::open(&path).ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || metadata.mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "ignoring the password file: its mode must be 0600 or less");
        return None;
    }
    let text = io::read_to_string(file).ok()?;
    let host = if DEFAULT_SOCKET_FOLDERS.contains(&host) { "localhost" } else { host };
    find(&text, [host, &port.to_string(), dbname, user])
}

/// The password of the first line that matches all four fields.
fn find(text: &str, wanted: [&str; 4]) -> Option<SecretString> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line;
        for value in wanted {
            let (field, after) = field(rest)?;
            if !(rest.starts_with("*:") || field == value) {
                return None;
            }
            rest = after;
        }
        Some(SecretString::from(unescape(rest)))
    })
}

/// The field up to the next unescaped colon, and what follows it.
fn field(line: &str) -> Option<(String, &str)> {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' => return Some((unescape(&line[..at]), &line[at + 1..])),
            _ => {}
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    plain
}

/// A password file of one line in a private folder, removed when dropped.
#[derive(Debug)]
pub(super) struct PrivatePassfile {
    folder: TempDir,
}

impl PrivatePassfile {
    /// Writes the file (mode 0600) into a new folder (0700) below `parent`. Without a password the file is empty, which
    /// keeps the tool from looking elsewhere.
    pub fn write(parent: &Path, password: Option<&SecretString>) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("pg-").tempdir_in(parent)?;
        let passfile = Self { folder };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(passfile.path())?;
        if let Some(password) = password {
            let password = password.expose_secret();
            if password.contains(['\n', '\r', '\0']) {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "a password with a line break cannot be used"));
            }
            let escaped = password.replace('\\', "\\\\").replace(':', "\\:");
            file.write_all(format!("*:*:*:*:{escaped}\n").as_bytes())?;
        }
        Ok(passfile)
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("pgpass")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn password(text: &str, wanted: [&str; 4]) -> Option<String> {
        find(text, wanted).map(|found| found.expose_secret().to_owned())
    }

    #[test]
    fn the_first_matching_line_wins_and_escapes_are_undone() {
        let text = "# comment\nbroken\ndb:5432:app:me:fir\\:st\\\\\n*:*:*:me:second:with:colons\n\\*:1:d:u:star";
        assert_eq!(password(text, ["db", "5432", "app", "me"]).unwrap(), r"fir:st\");
        assert_eq!(password(text, ["other", "1", "x", "me"]).unwrap(), "second:with:colons");
        assert_eq!(password(text, ["db", "5432", "app", "you"]), None);
        assert_eq!(password(text, ["*", "1", "d", "u"]).unwrap(), "star");
        assert_eq!(password(text, ["host", "1", "d", "u"]), None);
    }

    #[test]
    fn what_is_written_is_private_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let secret = SecretString::from(r"a:b\c");
        let passfile = PrivatePassfile::write(folder.path(), Some(&secret)).unwrap();
        assert_eq!(std::fs::metadata(passfile.path()).unwrap().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(passfile.path()).unwrap();
        assert_eq!(password(&text, ["h", "1", "d", "u"]).unwrap(), r"a:b\c");
        drop(passfile);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(PrivatePassfile::write(folder.path(), Some(&SecretString::from("a\nb"))).is_err());
    }
}
