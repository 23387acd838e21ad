//! Clients that wait for a connection in PgBouncer. <https://www.pgbouncer.org/usage.html#show-pools>

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::database::postgres::bouncer_pools;
use crate::fault::Fault as _;
use crate::health::{OwnView, Seen, Unseen, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::PgBouncer,
    about: "how long the first client in PgBouncer's queues has been waiting",
    deep: false,
    warning: Some(1.0),
    critical: Some(10.0),
    source: "the manual: where maxwait rises, the pool is too small or the server too slow; applications give up after \
             some 30 s",
    look: LookAt { postgres: None, sqlite: None, own: Some(|view| Box::pin(look(view))) },
};

async fn look(view: &mut OwnView<'_>) -> Seen {
    let Some(console) = &view.job.pgbouncer else {
        return Err(Unseen::not_applicable(format!("no `pgbouncer` in [health.{}]", view.job.name)));
    };
    let mut pools = bouncer_pools(console).await.map_err(|error| {
        let unseen = Unseen::unknown(crate::fault::chain(&error));
        let cure = || "let this user into the console: `stats_users` in pgbouncer.ini".to_owned();
        unseen.cure(error.hint().unwrap_or_else(cure))
    })?;
    pools.retain(|pool| !view.exclude.leaves_out(&pool.database));
    pools.sort_by(|one, other| other.max_wait.total_cmp(&one.max_wait));
    let waiting: u64 = pools.iter().map(|pool| pool.waiting).sum();
    let longest = pools.first().map_or(0.0, |pool| pool.max_wait);
    let evidence = pools.iter().take(10).map(|pool| {
        format!(
            "{} as {}: {} clients served, {} waiting for up to {}, {} of {} server connections idle",
            pool.database,
            pool.user,
            pool.active,
            pool.waiting,
            crate::units::seconds(pool.max_wait),
            pool.idle_servers,
            pool.servers
        )
    });
    let summary = match waiting {
        0 => format!("no client waits in {} pools", pools.len()),
        _ => format!("{waiting} clients wait, the first for {}", crate::units::seconds(longest)),
    };
    let verdict = Verdict::new(view.limits.judge(longest), summary).figure(longest).evidence(evidence);
    Ok(verdict.advice(
        "look for what holds the server connections (long queries, idle transactions); raise default_pool_size only \
         where the server has room",
    ))
}
