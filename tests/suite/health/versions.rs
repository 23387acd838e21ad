//! PostgreSQL of other majors than the shared one: the statistics views differ from version to version.

use std::time::Duration;

use caretaker::config::{LoadOptions, load};
use caretaker::database::Servers;
use caretaker::health::{Depth, Round, Rounds, round};
use caretaker::state::{State, Status};
use jiff::Timestamp;

use super::looks::{Looks, Psql};
use crate::support::{OwnPostgres, Postgres, Sandbox, until};

/// Two rounds of all checks; the second has something to compare with.
fn rounds(url: &str) -> Vec<Round> {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!("[databases.app]\nurl = '{url}'\n\n[health.app]\ndatabase = 'app'\n"));
    let config = load(&LoadOptions { path: Some(sandbox.config()), ..LoadOptions::default() }).unwrap().config;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (state, servers) = (State::open(&sandbox.state()).await.unwrap(), Servers::new(&config));
        let job = config.health.values().next().unwrap();
        let rounds = Rounds { config: &config, servers: &servers, state: &state, job };
        let mut found = Vec::new();
        for _ in 0..2 {
            let round = round(rounds, Depth::Both, Timestamp::now()).await;
            round.record(&state).await.unwrap();
            found.push(round);
        }
        found
    })
}

#[rstest::rstest]
fn no_check_asks_for_what_the_server_does_not_have(#[values(13, 14, 16, 17, 18)] major: u32) {
    let server = OwnPostgres::of_major(major);
    let sql = |sql: &str| server.sql("postgres", sql);
    sql("CREATE ROLE blind LOGIN PASSWORD 'x'; \
         CREATE TABLE t (id int PRIMARY KEY); SELECT pg_create_physical_replication_slot('s', true)");
    for url in [server.url("postgres"), server.url_as("blind", Some("x"), "postgres")] {
        for round in rounds(&url) {
            assert!(round.looks.len() > 10);
            for look in &round.looks {
                let said = look.observation("app", round.at);
                // undefined_column, undefined_function, undefined_table; syntax_error.
                let wrong = ["does not exist", "syntax error", "cannot cast", "ambiguous"];
                assert!(!wrong.iter().any(|text| said.summary.contains(text)), "{said:#?}");
            }
        }
    }

    sql("CREATE TABLE waited_for (id int)");
    let (mut one, mut two) = (Psql::connect(&server, "postgres", "one"), Psql::connect(&server, "postgres", "two"));
    one.runs("BEGIN; LOCK TABLE waited_for;");
    two.starts("SELECT * FROM waited_for;");
    until("a wait", Duration::from_secs(10), || sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == "1\n");
    let settings = "warning = 0.1\ncritical = '1h'";
    let seen = Looks::new("locks", &server.url("postgres"), settings).comes_to(Status::Warning);
    assert!(seen.evidence[1].contains("AccessShareLock on public.waited_for"), "{seen:#?}");
}

#[test]
fn an_extension_older_than_the_servers_files_is_found_until_it_is_updated() {
    let database = Postgres::shared().database();
    let mut looks = Looks::new("extensions", &database.url(), "warning = 1\ncritical = 2");
    looks.finds(Status::Ok);
    database.sql("CREATE EXTENSION amcheck VERSION '1.2'");
    let seen = looks.finds(Status::Warning);
    assert!(seen.summary.starts_with("amcheck 1.2, while the server's files are of 1."), "{seen:?}");
    database.sql("CREATE EXTENSION pg_stat_statements VERSION '1.9'");
    looks.finds(Status::Critical);
    looks.with("warning = 1\ncritical = 2\nexclude = ['pg_stat_*']").finds(Status::Warning);
    database.sql("ALTER EXTENSION amcheck UPDATE; ALTER EXTENSION pg_stat_statements UPDATE");
    looks.with("").finds(Status::Ok);
}
