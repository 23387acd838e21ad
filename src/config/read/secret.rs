//! Where a secret is: `NAME_file`, or a credential of the unit. What it is never stands in the configuration.

use super::super::{Ping, SecretSource, redact};
use super::values::{authority, path, text};
use super::{Problem, Section, Spot};

/// The keys that say where a secret is.
pub(super) struct SecretKeys {
    /// The secret itself, which must not stand there: `url`.
    pub plain: &'static str,
    /// `url_file`
    pub file: &'static str,
    /// `credential`
    pub credential: &'static str,
}

impl SecretKeys {
    /// `password`
    pub const PASSWORD: Self = Self { plain: "password", file: "password_file", credential: "credential" };
    /// `url`
    pub const URL: Self = Self { plain: "url", file: "url_file", credential: "credential" };
    /// `token`, of a channel whose only secret it is.
    pub const TOKEN: Self = Self { plain: "token", file: "token_file", credential: "credential" };
    /// `token`, beside another secret.
    pub const SECOND_TOKEN: Self = Self { plain: "token", file: "token_file", credential: "token_credential" };
    /// `routing_key`
    pub const ROUTING_KEY: Self = Self { plain: "routing_key", file: "routing_key_file", credential: "credential" };
    /// `secret`
    pub const SECRET: Self = Self { plain: "secret", file: "secret_file", credential: "secret_credential" };
    /// `authorization`
    pub const AUTHORIZATION: Self =
        Self { plain: "authorization", file: "authorization_file", credential: "authorization_credential" };
    /// `hmac_key`
    pub const HMAC_KEY: Self = Self { plain: "hmac_key", file: "hmac_key_file", credential: "hmac_key_credential" };
    /// `heartbeat_url`
    pub const HEARTBEAT: Self =
        Self { plain: "heartbeat_url", file: "heartbeat_url_file", credential: "heartbeat_credential" };

    /// An address that is pinged, which may be left out.
    pub fn ping(section: &Section<'_>) -> Option<Ping> {
        let url = Self::HEARTBEAT.optional(section);
        let ca_file = section.optional("heartbeat_ca_file", authority);
        if section.has("heartbeat_ca_file") && url.is_none() {
            section.is_missing_as("heartbeat_url_file", "`heartbeat_url_file` beside `heartbeat_ca_file`".to_owned());
        }
        Some(Ping { url: url?, ca_file })
    }

    /// A secret that may be left out.
    pub fn optional(&self, section: &Section<'_>) -> Option<SecretSource> {
        let file = section.optional(self.file, path).map(SecretSource::File);
        let credential = section.optional(self.credential, credential).map(SecretSource::Credential);
        if section.has(self.file)
            && let Some(spot) = section.spot(self.credential)
        {
            let problem = Problem::new(format!("`{}` and `{}` exclude each other", self.file, self.credential));
            section.taken::<()>(&spot, Err(problem.help("keep one")));
        }
        self.reject(section);
        file.or(credential)
    }

    /// A secret that must be there.
    pub fn required(&self, section: &Section<'_>) -> Option<SecretSource> {
        if !section.has(self.file) && !section.has(self.credential) && !section.has(self.plain) {
            section.is_missing_as(self.file, format!("`{}` or `{}`", self.file, self.credential));
        }
        self.optional(section)
    }

    /// The mistake that deserves its own words.
    fn reject(&self, section: &Section<'_>) {
        if section.has(self.plain)
            && let Some(spot) = section.spot(self.plain)
        {
            let problem = match self.plain {
                "url" | "heartbeat_url" => {
                    "who knows this address can use it: it does not stand in the configuration".to_owned()
                }
                "password" => "passwords do not stand in the configuration".to_owned(),
                plain => format!("`{plain}` is a secret and does not stand in the configuration"),
            };
            let problem = Problem::new(problem).help(format!(
                "write it into a file only Caretaker can read, and name it: `{} = \"/etc/caretaker/credentials/…\"`",
                self.file
            ));
            section.taken::<()>(&spot, Err(problem));
            section.show(self.plain, redact::REDACTED, &spot.origin);
        }
    }
}

/// The name of a credential is that of a file in one folder.
pub(super) fn credential(spot: &Spot<'_>) -> Result<String, Problem> {
    let name = text(spot)?;
    if name.contains('/') || name.starts_with('.') {
        return Err(Problem::new("a credential is named, without a path")
            .help("the name is that in the unit's `LoadCredential=NAME:…`; a file's path goes into the key that ends in `_file`"));
    }
    Ok(name)
}
