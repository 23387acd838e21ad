//! Connecting, TLS and a first query, each timed. A server that cannot be reached at all never comes to this: the round
//! itself says so, and holds back the checks behind it.

use std::time::Instant;

use super::{Check, LookAt, sqlite};
use crate::config::{CheckName, SslMode};
use crate::database::postgres::handshake;
use crate::health::{PostgresView, Seen, Verdict};
use crate::units;

pub(super) const CHECK: Check = Check {
    name: CheckName::Connectivity,
    about: "connecting, TLS and a first query",
    deep: false,
    warning: Some(1.0),
    critical: Some(5.0),
    source: "a connection within a data centre takes a few milliseconds; applications' pools give up after 5 s or more",
    look: LookAt {
        postgres: Some(|view| Box::pin(look(view))),
        sqlite: Some(|view| Box::pin(sqlite::opening(view))),
        own: None,
    },
};

/// The driver does not tell how long its own handshake took, so another one is timed, where the connection speaks TLS.
async fn tls_time(view: &PostgresView<'_>) -> Option<String> {
    if view.endpoint.sslmode == SslMode::Disable || view.endpoint.host.starts_with('/') {
        return None;
    }
    let shaken = handshake(&view.endpoint.host, view.endpoint.port).await.ok()??;
    let [tcp, tls] = [shaken.connected_in, shaken.shaken_in].map(|took| units::seconds(took.as_secs_f64()));
    Some(format!("of that about {tcp} for TCP and {tls} for TLS"))
}

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let began = Instant::now();
    view.row("SELECT 1 AS one").await?;
    let answered_in = began.elapsed();
    let took = (view.connected_in + answered_in).as_secs_f64();
    let tls = match view.endpoint.sslmode {
        SslMode::Disable => "without TLS",
        _ => "with TLS",
    };
    let (connected, answered) =
        (units::seconds(view.connected_in.as_secs_f64()), units::seconds(answered_in.as_secs_f64()));
    let summary = format!("connected {tls} in {connected}, answered in {answered}");
    let endpoint = format!("{}:{}, PostgreSQL {}", view.endpoint.host, view.endpoint.port, view.server.version);
    Ok(Verdict::new(view.own.limits.judge(took), summary).figure(took).evidence([endpoint]).evidence(tls_time(view).await).advice(
        "look at the network, the server's load, and whether connections wait for a free process or an authentication service",
    ))
}
