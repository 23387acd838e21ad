//! Every major version of PostgreSQL that is in use, but for the shared server's: no check is blind on any of them.

use caretaker::config::{Config, LoadOptions, load};
use caretaker::database::Servers;
use caretaker::health::{Depth, Rounds, round};
use caretaker::state::{Observation, State, Status};
use jiff::Timestamp;
use rstest::rstest;

use super::looks::Looks;
use crate::support::{OwnPostgres, Postgres, Sandbox, eventually, patient, until};

/// A server with something to see for each check, and the settings that make it so.
fn server(major: u32) -> OwnPostgres {
    let server = OwnPostgres::of_major_with(
        major,
        &[
            "shared_preload_libraries = 'pg_stat_statements'",
            "archive_mode = on",
            "archive_command = 'true'",
            "max_prepared_transactions = 2",
        ],
    );
    server.sql(
        "postgres",
        "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION amcheck;
         CREATE TABLE note (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text);
         INSERT INTO note (body) SELECT repeat(md5(i::text), 8) FROM generate_series(1, 60000) i; ANALYZE note;
         CREATE ROLE caretaker LOGIN PASSWORD 'x' VALID UNTIL 'tomorrow';
         SELECT pg_create_physical_replication_slot('held', true)",
    );
    server
}

/// Gives the role `caretaker` what `database grants` prints.
fn grant(server: &Postgres, sandbox: &Sandbox) {
    let said = sandbox.caretaker(&["--format", "json", "database", "grants", "app"]).json();
    for grant in said["grants"].as_array().unwrap() {
        server.sql("postgres", grant["sql"].as_str().unwrap());
    }
    sandbox.caretaker(&["database", "grants", "app"]).succeeds();
}

fn configured(url: &str) -> (Sandbox, Config) {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!("[databases.app]\nurl = '{url}'\n\n[health.app]\ndatabase = 'app'\n"));
    let config = load(&LoadOptions { path: Some(sandbox.config()), ..LoadOptions::default() }).unwrap().config;
    (sandbox, config)
}

/// What a round of all checks finds that has an earlier one to compare with.
fn found(server: &Postgres, sandbox: &Sandbox, config: &Config) -> Vec<Observation> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (state, servers) = (runtime.block_on(State::open(&sandbox.state())).unwrap(), Servers::new(config));
    let rounds = Rounds { config, servers: &servers, state: &state, job: config.health.values().next().unwrap() };
    let look = || {
        let round = runtime.block_on(round(rounds, Depth::Both, Timestamp::now()));
        runtime.block_on(round.record(&state)).unwrap();
        round.looks.iter().map(|look| look.observation("app", round.at)).collect::<Vec<_>>()
    };
    look();
    server.sql("postgres", "SELECT count(*) FROM note a, generate_series(1, 10)");
    // Before 15 the counters come with some delay.
    eventually("blocks to be counted", patient(), || {
        Some(look()).filter(|found| find(found, "cache_hit").status > Status::NotApplicable)
    })
}

fn find<'a>(found: &'a [Observation], check: &str) -> &'a Observation {
    found.iter().find(|said| said.key.name == check).unwrap()
}

/// What has nothing to look at on such a server.
const NOTHING: [&str; 15] = [
    "slow_statements",
    "replication",
    "replication_bytes",
    "growth",
    "disk_full_in",
    "checksum_failures",
    "unused_indexes",
    "tls_certificate",
    "migrations",
    "recovery_conflicts",
    "pgbouncer",
    "backup_age",
    "proof_age",
    "policy_overdue",
    "job_overdue",
];

#[rstest]
fn every_check_sees_what_it_looks_at_with_what_database_grants_prints(#[values(13, 14, 16, 17, 18)] major: u32) {
    let server = server(major);
    let (sandbox, config) = configured(&server.url_as("caretaker", Some("x"), "postgres"));
    grant(&server, &sandbox);
    let found = found(&server, &sandbox, &config);
    let blind: Vec<_> = found.iter().filter(|said| said.status == Status::Unknown).collect();
    assert!(blind.is_empty(), "{blind:#?}");
    let nothing = found.iter().filter(|said| said.status == Status::NotApplicable);
    // PostgreSQL 18 has checksums unless told otherwise.
    let expected = NOTHING.iter().copied().filter(|name| major < 18 || *name != "checksum_failures");
    assert_eq!(nothing.map(|said| said.key.name.as_str()).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let statements = find(&found, "slow_statements");
    assert!(statements.summary.starts_with("no statement was called often enough"), "{statements:#?}");
}

#[rstest]
fn a_slot_that_lost_its_wal_and_one_that_nobody_uses_are_told_apart(#[values(13, 14, 16, 17, 18)] major: u32) {
    let server = OwnPostgres::of_major_with(major, &["max_slot_wal_keep_size = '1MB'"]);
    let sql = |sql: &str| server.sql("postgres", sql);
    let mut looks = Looks::new("replication_slots", &server.url("postgres"), "");
    looks.finds(Status::NotApplicable);
    sql("SELECT pg_create_physical_replication_slot('behind', true)");
    let seen = looks.finds(Status::Warning);
    assert!(seen.summary.starts_with("behind: nobody uses it"), "{seen:#?}");
    sql("CREATE TABLE t (id int)");
    // A segment is 16 MiB, filled or not.
    for _ in 0..3 {
        sql("INSERT INTO t VALUES (1)");
        sql("SELECT pg_switch_wal()");
    }
    sql("CHECKPOINT");
    let seen = looks.finds(Status::Critical);
    assert!(seen.summary.starts_with("behind: its WAL is gone"), "{seen:#?}");
    sql("SELECT pg_drop_replication_slot('behind')");
    looks.finds(Status::NotApplicable);
}

#[test]
fn a_slot_that_was_invalidated_for_another_reason_than_wal_is_told_with_it() {
    let server = OwnPostgres::of_major_with(18, &["idle_replication_slot_timeout = '1s'"]);
    let sql = |sql: &str| server.sql("postgres", sql);
    let mut looks = Looks::new("replication_slots", &server.url("postgres"), "");
    sql("SELECT pg_create_physical_replication_slot('idle', true)");
    looks.finds(Status::Warning);
    until("the slot to be idle for too long", patient(), || {
        sql("CHECKPOINT");
        sql("SELECT invalidation_reason FROM pg_replication_slots") == "idle_timeout\n"
    });
    let seen = looks.finds(Status::Critical);
    assert!(seen.summary.starts_with("idle: invalidated (idle_timeout)"), "{seen:#?}");
}

#[rstest]
fn forced_checkpoints_are_counted_wherever_the_server_counts_them(#[values(13, 14, 16, 17, 18)] major: u32) {
    let server = OwnPostgres::of_major(major);
    let mut looks = Looks::new("checkpoints", &server.url("postgres"), "");
    looks.finds(Status::NotApplicable);
    for _ in 0..5 {
        server.sql("postgres", "CHECKPOINT");
    }
    // The counters come with some delay.
    until("all of them to be counted", patient(), || {
        looks.look().summary.starts_with("5 of 5 checkpoints were forced")
    });
    looks.finds(Status::Critical);
}

#[rstest]
fn a_standby_is_seen_from_both_sides_and_says_when_it_is_cut_off(#[values(13, 14, 16, 17, 18)] major: u32) {
    let primary = OwnPostgres::of_major(major);
    primary.sql("postgres", "SELECT pg_create_physical_replication_slot('sister', true)");
    let standby = OwnPostgres::standby_of(&primary, "sister");
    let mut from_there = Looks::new("replication", &primary.socket_url("postgres"), "");
    let mut from_here = Looks::new("replication", &standby.socket_url("postgres"), "");
    from_there.comes_to(Status::Ok);
    from_here.comes_to(Status::Ok);
    let (sandbox, _) = configured(&standby.socket_url("postgres"));
    let said = sandbox.caretaker(&["--format", "json", "health", "app", "--deep"]).json();
    let blind: Vec<_> = said[0]["checks"].as_array().unwrap().iter().filter(|it| it["status"] == "unknown").collect();
    assert!(blind.is_empty(), "{blind:#?}");
    primary.stop();
    from_here.comes_to(Status::Critical);
}
