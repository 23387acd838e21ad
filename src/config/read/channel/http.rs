//! Channels whose address is a secret, and what they have beside it.

use super::super::super::{Ntfy, Webhook};
use super::super::secret::SecretKeys;
use super::super::values::{path, text};
use super::super::{Problem, Section, Spot};
use super::template;

pub(super) fn webhook(section: &Section<'_>) -> Option<Webhook> {
    let url = SecretKeys::URL.required(section);
    let secret = SecretKeys::SECRET.optional(section);
    let authorization = SecretKeys::AUTHORIZATION.optional(section);
    let inline = section.optional("body", |spot| {
        let source = text(spot)?;
        template("body.json", &source).map(|()| source)
    });
    let file = section.optional("body_file", |spot| {
        let path = path(spot)?;
        let read = |error| Problem::new(format!("cannot read {}: {error}", path.display()));
        let source = std::fs::read_to_string(&path).map_err(read)?;
        template("body.json", &source).map(|()| source)
    });
    if section.has("body")
        && section.has("body_file")
        && let Some(spot) = section.spot("body_file")
    {
        section.taken::<()>(&spot, Err(Problem::new("`body` and `body_file` exclude each other").help("keep one")));
    }
    Some(Webhook { url: url?, secret, authorization, body: inline.or(file) })
}

pub(super) fn ntfy(section: &Section<'_>) -> Option<Ntfy> {
    let url = SecretKeys::URL.required(section);
    let token = SecretKeys::SECOND_TOKEN.optional(section);
    Some(Ntfy { url: url?, token })
}

/// The address of a service, without a path.
pub(super) fn server(spot: &Spot<'_>) -> Result<String, Problem> {
    let address = text(spot)?;
    let bare = address.strip_suffix('/').unwrap_or(&address);
    let wrong = || Problem::new("this is not the address of a service").help("write it like `https://example.org`");
    let (scheme, host) = bare.split_once("://").ok_or_else(wrong)?;
    if !matches!(scheme, "https" | "http") || host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
        return Err(wrong());
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let is_here = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if scheme == "http" && !is_here {
        spot.warning(
            Problem::new("messages, and the key to this service, travel there without TLS").help("use `https://`"),
        );
    }
    Ok(bare.to_owned())
}
