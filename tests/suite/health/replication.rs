//! Checks of replication, at a primary and a standby.

use caretaker::state::Status;

use super::looks::Looks;
use crate::support::{OwnPostgres, patient, until};

/// A primary, and a standby called `sister` that has caught up.
fn pair() -> (OwnPostgres, OwnPostgres) {
    let primary = OwnPostgres::start();
    primary.sql("postgres", "CREATE TABLE t (id int); SELECT pg_create_physical_replication_slot('sister', true)");
    let standby = OwnPostgres::standby_of(&primary, "sister");
    caught_up(&primary);
    (primary, standby)
}

fn caught_up(primary: &OwnPostgres) {
    until("the standby to catch up", patient(), || {
        let sql = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()";
        primary.sql("postgres", sql) == "1\n"
    });
}

fn write(primary: &OwnPostgres) {
    primary.sql("postgres", "INSERT INTO t SELECT generate_series(1, 1000)");
}

#[test]
fn a_standby_that_is_cut_off_says_so_and_one_of_an_idle_primary_does_not() {
    let (primary, standby) = pair();
    // The last change is older than any of these thresholds, and that is no lag.
    let tight = "warning = 0.001\ncritical = '1h'";
    let mut looks = Looks::new("replication", &standby.socket_url("postgres"), tight);
    let seen = looks.comes_to(Status::Ok);
    assert!(seen.evidence[0].starts_with("WAL receiver streaming"), "{seen:#?}");

    standby.sql("postgres", "SELECT pg_wal_replay_pause()");
    write(&primary);
    let seen = looks.comes_to(Status::Warning);
    assert!(seen.summary.ends_with("and paused"), "{seen:#?}");
    let mut bytes =
        Looks::new("replication_bytes", &standby.socket_url("postgres"), "warning = 1\ncritical = '1000 GiB'");
    bytes.finds(Status::Warning);
    bytes.with("warning = 1\ncritical = 2").finds(Status::Critical);
    standby.sql("postgres", "SELECT pg_wal_replay_resume()");
    looks.comes_to(Status::Ok);
    bytes.comes_to(Status::Ok);

    primary.stop();
    let seen = looks.comes_to(Status::Critical);
    assert!(seen.summary.contains("cut off"), "{seen:#?}");
    bytes.finds(Status::Unknown);
    primary.resume();
    looks.comes_to(Status::Ok);
}

#[test]
fn a_primary_knows_how_far_its_standbys_are_and_misses_one_that_is_gone() {
    let primary = OwnPostgres::start();
    let mut looks = Looks::new("replication", &primary.socket_url("postgres"), "warning = 0.05\ncritical = '1h'");
    looks.finds(Status::NotApplicable);
    primary.sql("postgres", "CREATE TABLE t (id int); SELECT pg_create_physical_replication_slot('sister', true)");
    let standby = OwnPostgres::standby_of(&primary, "sister");
    let seen = looks.comes_to(Status::Ok);
    assert!(seen.evidence[0].starts_with("sister (local): streaming, async, "), "{seen:#?}");

    standby.sql("postgres", "SELECT pg_wal_replay_pause()");
    write(&primary);
    looks.comes_to(Status::Warning);
    looks.with("warning = 0.05\ncritical = 0.05").comes_to(Status::Critical);
    let mut bytes =
        Looks::new("replication_bytes", &primary.socket_url("postgres"), "warning = 1\ncritical = '1000 GiB'");
    bytes.finds(Status::Warning);
    bytes.with("warning = 1\ncritical = 2").finds(Status::Critical);
    standby.sql("postgres", "SELECT pg_wal_replay_resume()");
    looks.comes_to(Status::Ok);
    bytes.comes_to(Status::Ok);

    standby.stop();
    let seen = looks.comes_to(Status::Critical);
    assert!(seen.summary.starts_with("1 no longer connected") && seen.evidence[0].starts_with("sister: gone"));
    looks.later(24).finds(Status::Critical);
    looks.with("exclude = ['sister']").finds(Status::NotApplicable);
    standby.resume();
    looks.with("").comes_to(Status::Ok);

    // Nobody is there whom commits would wait for.
    primary.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'brother'");
    primary.sql("postgres", "SELECT pg_reload_conf()");
    let seen = looks.comes_to(Status::Critical);
    assert!(seen.summary.ends_with("commits wait"), "{seen:#?}");
}

#[test]
fn a_slot_that_nobody_uses_is_found_before_it_fills_the_disk() {
    let (primary, standby) = pair();
    let url = primary.socket_url("postgres");
    let mut looks = Looks::new("replication_slots", &url, "");
    looks.comes_to(Status::Ok);
    // What feeds the standby is active for ever, and no query.
    let seen = Looks::new("long_queries", &url, "warning = 0.1\ncritical = 0.1").finds(Status::Ok);
    assert_eq!(seen.summary, "no query");
    standby.stop();
    let seen = looks.comes_to(Status::Warning);
    assert!(seen.evidence[0].ends_with("nobody uses it"), "{seen:#?}");
    looks.with("exclude = ['sis*']").finds(Status::NotApplicable);
    write(&primary);
    looks.with("warning = 1\ncritical = 2").finds(Status::Critical);
    standby.resume();
    caught_up(&primary);
    looks.with("").comes_to(Status::Ok);

    // A slot that may hold less than is written.
    primary.sql(
        "postgres",
        "SELECT pg_create_physical_replication_slot('left', true); ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'",
    );
    primary.sql("postgres", "ALTER SYSTEM SET max_wal_size = '32MB'; SELECT pg_reload_conf()");
    for _ in 0..4 {
        primary.sql("postgres", "SELECT pg_switch_wal(); INSERT INTO t VALUES (1)");
    }
    primary.sql("postgres", "CHECKPOINT");
    let seen = looks.comes_to(Status::Critical);
    let left = seen.evidence.iter().find(|line| line.starts_with("left (physical)")).unwrap();
    assert!(left.contains("its WAL is gone") || left.contains("about to lose its WAL"), "{seen:#?}");
}

#[test]
fn who_may_not_see_standbys_says_so() {
    let (primary, standby) = pair();
    primary.sql("postgres", "CREATE ROLE blind LOGIN PASSWORD 'x'");
    caught_up(&primary);
    for server in [&primary, &standby] {
        let seen = Looks::new("replication", &server.url_as("blind", Some("x"), "postgres"), "").finds(Status::Unknown);
        assert!(seen.advice.unwrap().contains("GRANT pg_monitor TO \"blind\""));
    }
    primary.sql("postgres", "GRANT pg_monitor TO blind");
    caught_up(&primary);
    for server in [&primary, &standby] {
        Looks::new("replication", &server.url_as("blind", Some("x"), "postgres"), "").finds(Status::Ok);
    }
}
