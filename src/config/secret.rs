//! Reading secrets: anew each time, so that a changed password needs no restart.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::{ParsedUrl, SecretError, SecretSource, parse_database_url};

/// Where a command that was not started by systemd finds what the unit loads as credentials.
pub(super) const CREDENTIALS: &str = "/etc/caretaker/credentials";

impl SecretSource {
    /// Reads the secret. Blocks on a small file; on the runtime, call it through `spawn_blocking`.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let loaded = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        self.read_with(loaded.as_deref(), Path::new(CREDENTIALS))
    }

    /// The same with the folders of credentials as arguments: systemd's, and the one to look in without it.
    pub(super) fn read_with(&self, loaded: Option<&Path>, fallback: &Path) -> Result<SecretString, SecretError> {
        match self {
            Self::Inline(password) => Ok(password.0.clone().into()),
            Self::File(path) => read_file(path).map(SecretString::from),
            Self::Credential(name) => {
                let given = loaded.map(|folder| folder.join(name)).filter(|path| path.exists());
                read_file(&given.unwrap_or_else(|| fallback.join(name))).map(SecretString::from)
            }
            Self::UrlFile(path) => match parse_database_url(&read_file(path)?) {
                Ok(ParsedUrl::Postgres(url)) => {
                    let password = url.password.map(|password| password.0);
                    password.map(SecretString::from).ok_or_else(|| SecretError::NoPassword { path: path.clone() })
                }
                _ => Err(SecretError::NoPassword { path: path.clone() }),
            },
        }
    }

    /// The file it is in, if it is in one that can be told without systemd's help.
    pub(super) fn file(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) | Self::UrlFile(path) => Some(path.clone()),
            Self::Credential(name) => Some(Path::new(CREDENTIALS).join(name)),
            Self::Inline(_) => None,
        }
    }
}

/// A file's text without one trailing line break.
fn read_file(path: &Path) -> Result<String, SecretError> {
    let bytes = std::fs::read(path).map_err(|source| SecretError::Read { path: path.to_owned(), source })?;
    let mut text = String::from_utf8(bytes).map_err(|_| SecretError::NotText { path: path.to_owned() })?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() { Err(SecretError::Empty { path: path.to_owned() }) } else { Ok(text) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read(source: &SecretSource, loaded: Option<&Path>, fallback: &Path) -> Result<String, String> {
        let secret = source.read_with(loaded, fallback).map_err(|error| error.to_string())?;
        Ok(secret.expose_secret().to_owned())
    }

    #[test]
    fn one_line_break_at_the_end_is_cut_and_every_read_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let source = SecretSource::File(path.clone());
        for (contents, expected) in
            [("pw", "pw"), ("pw\n", "pw"), ("pw\r\n", "pw"), ("pw\n\n", "pw\n"), (" p w ", " p w ")]
        {
            std::fs::write(&path, contents).unwrap();
            assert_eq!(read(&source, None, folder.path()).unwrap(), expected);
        }
        for (contents, expected) in [(&b"\n"[..], "is empty"), (b"\xff", "is not text")] {
            std::fs::write(&path, contents).unwrap();
            assert!(read(&source, None, folder.path()).unwrap_err().ends_with(expected));
        }
    }

    #[test]
    fn a_credential_comes_from_systemd_or_else_from_its_usual_folder() {
        let (loaded, usual) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let source = SecretSource::Credential("app".to_owned());
        let missing = read(&source, Some(loaded.path()), usual.path()).unwrap_err();
        assert!(missing.starts_with("cannot read the secret file") && missing.contains("app"));
        std::fs::write(usual.path().join("app"), "usual").unwrap();
        assert_eq!(read(&source, Some(loaded.path()), usual.path()).unwrap(), "usual");
        std::fs::write(loaded.path().join("app"), "loaded").unwrap();
        assert_eq!(read(&source, Some(loaded.path()), usual.path()).unwrap(), "loaded");
        assert_eq!(read(&source, None, usual.path()).unwrap(), "usual");
    }

    #[test]
    fn the_password_of_a_url_file_is_read_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        let source = SecretSource::UrlFile(path.clone());
        std::fs::write(&path, "postgres://u:p%40w@h/d\n").unwrap();
        assert_eq!(read(&source, None, folder.path()).unwrap(), "p@w");
        std::fs::write(&path, "postgres://u@h/d\n").unwrap();
        assert!(read(&source, None, folder.path()).unwrap_err().ends_with("has no password"));
    }
}
