//! Time until the server's certificate ends. A second, short handshake reads it: the driver does not tell.

use super::{Check, LookAt};
use crate::config::{CheckName, SslMode};
use crate::database::postgres::handshake;
use crate::health::{PostgresView, Seen, Unseen, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::TlsCertificate,
    about: "time until the server's certificate ends",
    deep: false,
    warning: Some(21.0 * 86_400.0),
    critical: Some(7.0 * 86_400.0),
    source: "ACME clients renew 30 days before the end: with 21 left that has failed; check_http's usual figures",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let endpoint = view.endpoint;
    if endpoint.host.starts_with('/') {
        return Err(Unseen::not_applicable("connected through a Unix socket, which has no TLS"));
    }
    if endpoint.sslmode == SslMode::Disable {
        return Err(Unseen::not_applicable("connected without TLS"));
    }
    let chain = match handshake(&endpoint.host, endpoint.port).await {
        Ok(Some(shaken)) => shaken.chain,
        Ok(None) => return Err(Unseen::not_applicable("the server does not speak TLS")),
        Err(error) => {
            let why = format!("the certificate cannot be read: {error}");
            return Err(Unseen::unknown(why)
                .cure("see what the server shows: `openssl s_client -starttls postgres -connect HOST:PORT`"));
        }
    };
    let evidence: Vec<String> =
        chain.iter().map(|one| format!("{}, issued by {}, ends {}", one.subject, one.issuer, one.not_after)).collect();
    let Some(first) = chain.into_iter().min_by_key(|one| one.not_after) else {
        return Err(Unseen::unknown("the server sent no certificate"));
    };
    let left = first.not_after.duration_since(view.own.now).as_secs_f64();
    let length = crate::units::seconds(left.abs());
    let summary = match left < 0.0 {
        true => format!("the certificate of {} ended {length} ago", first.subject),
        false => format!("the certificate of {} ends in {length}", first.subject),
    };
    Ok(Verdict::new(view.own.limits.judge(left), summary)
        .figure(left)
        .evidence(evidence)
        .advice("renew it, and make the server read it: SELECT pg_reload_conf() is enough"))
}
