//! Databases of the server that no backup job covers: somebody made one, and nobody thought of its backup.

use super::{Check, LookAt};
use crate::config::{CheckName, DatabaseKind, PostgresTarget};
use crate::health::view::figure;
use crate::health::{PostgresView, Seen, Unseen, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::UncoveredDatabases,
    about: "databases of the server that no backup job covers",
    deep: false,
    warning: Some(1.0),
    critical: None,
    source: "one that is not wanted is named in `exclude`",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// Without templates, and without `postgres`, which holds nothing by convention. The size is NULL without CONNECT.
const DATABASES: &str = "SELECT datname::text AS name,
        CASE WHEN has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
            THEN pg_database_size(oid) END AS bytes
    FROM pg_database WHERE NOT datistemplate AND datallowconn AND datname <> 'postgres' ORDER BY datname";

/// Whether two URLs mean one server, as far as URLs tell: a host in common, or both on this machine with one port.
fn is_same_server(one: &PostgresTarget, other: &PostgresTarget) -> bool {
    let is_common = |host: &(String, u16)| other.hosts.contains(host);
    let ports = |target: &PostgresTarget| target.hosts.iter().map(|(_, port)| *port).collect::<Vec<_>>();
    one.hosts.iter().any(is_common) || (one.is_local() && other.is_local() && ports(one) == ports(other))
}

#[allow(clippy::cast_precision_loss, reason = "a count of databases")]
async fn look(view: &mut PostgresView<'_>) -> Seen {
    let config = view.own.config;
    let DatabaseKind::Postgres(here) = &view.own.database.kind else {
        return Err(Unseen::not_applicable("not a PostgreSQL server"));
    };
    let covered: Vec<&str> = config
        .backups
        .values()
        .filter_map(|job| match &config.databases.get(&job.database)?.kind {
            DatabaseKind::Postgres(target) if is_same_server(here, target) => Some(target.dbname.as_str()),
            _ => None,
        })
        .collect();
    let (mut uncovered, mut evidence) = (Vec::new(), Vec::new());
    for row in &view.rows(DATABASES).await? {
        let name: String = figure(row, "name")?;
        if covered.contains(&name.as_str()) || view.own.exclude.leaves_out(&name) {
            continue;
        }
        let bytes = crate::health::view::optional::<i64>(row, "bytes")?;
        let size = bytes.map_or_else(|| "size hidden".to_owned(), |bytes| crate::units::bytes(bytes as f64));
        evidence.push(format!("{name}, {size}"));
        uncovered.push(name);
    }
    let count = uncovered.len() as f64;
    let summary = match uncovered.as_slice() {
        [] => "every database of the server has a backup job".to_owned(),
        [name] => format!("database {name} has no backup job"),
        [name, rest @ ..] => format!("database {name} and {} more have no backup job", rest.len()),
    };
    Ok(Verdict::new(view.own.limits.judge(count), summary).figure(count).evidence(evidence).advice(
        "add a `[databases.*]` and a `[backup.*]` for it, or name it in `[health.*.checks.uncovered_databases] exclude`",
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::is_same_server;
    use crate::config::{PostgresTarget, SslMode};

    #[test]
    fn two_urls_mean_one_server_when_they_share_a_host_or_are_both_local() {
        let target = |hosts: &[(&str, u16)]| PostgresTarget {
            hosts: hosts.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect(),
            user: "u".to_owned(),
            dbname: "d".to_owned(),
            password: None,
            sslmode: SslMode::Prefer,
            sslrootcert: None,
            sslcert: None,
            sslkey: None,
            connect_timeout: 10,
            options: None,
        };
        for (one, other, expected) in [
            (&[("db", 5432)][..], &[("db", 5432)][..], true),
            (&[("a", 5432), ("b", 5432)], &[("b", 5432)], true),
            (&[("db", 5432)], &[("db", 5433)], false),
            (&[("/run/postgresql", 5432)], &[("localhost", 5432)], true),
            (&[("/run/postgresql", 5432)], &[("localhost", 5433)], false),
            (&[("127.0.0.1", 5432)], &[("db", 5432)], false),
        ] {
            assert_eq!(is_same_server(&target(one), &target(other)), expected, "{one:?} {other:?}");
        }
    }
}
