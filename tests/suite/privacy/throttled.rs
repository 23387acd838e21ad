//! It gives way: to standbys, to old snapshots over many dead rows, to rows that turn out dear.

use std::process::{Child, Stdio};
use std::time::Duration;

use super::scene::{Kind, Scene, notes, rule};
use crate::support::{Database, OwnPostgres, Postgres, Sandbox, eventually, patient, psql, until};

/// Rows that take their time to go.
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN PERFORM pg_sleep(0.005); RETURN OLD; END$$;
    CREATE TRIGGER slow BEFORE DELETE ON note FOR EACH ROW EXECUTE FUNCTION slow();";

/// Waits until nothing goes any more while it is still at work; gives how many rows there are.
fn stands_still(rows: impl Fn() -> u64, applying: &mut Child) -> u64 {
    let mut last = 0;
    eventually("no rows go", patient(), || {
        let now = rows();
        std::thread::sleep(Duration::from_millis(1500));
        assert!(applying.try_wait().unwrap().is_none(), "it came to an end with {} rows", rows());
        (std::mem::replace(&mut last, now) == now && rows() == now).then_some(now)
    })
}

#[test]
fn it_waits_for_a_standby_that_is_behind() {
    let primary = OwnPostgres::start();
    primary.sql("postgres", "SELECT pg_create_physical_replication_slot('mirror')");
    let standby = OwnPostgres::standby_of(&primary, "mirror");
    let database = primary.database();
    database.sql(&format!("{}{SLOW}", notes("note", 6000)));
    let sandbox = Sandbox::new();
    sandbox.configure(&format!(
        "[databases.app]\nurl = '{}'\n[privacy.school]\ndatabase = 'app'\n\
         batch = {{ target = '50ms', max_replica_lag = '1s' }}\n{}",
        database.socket_url(),
        rule("note", "action = 'delete'")
    ));
    until("the standby has all", patient(), || {
        psql(&standby, &database.name, "SELECT count(*) FROM note").stdout.trim() == "6000"
    });
    standby.sql("postgres", "SELECT pg_wal_replay_pause()");
    let mut command = sandbox.command();
    command.args(["privacy", "apply", "school", "--yes"]).stdout(Stdio::null());
    let mut applying = command.spawn().unwrap();
    let rows = || count(&database);
    eventually("rows go", patient(), || (rows() < 6000).then_some(()));
    assert!(stands_still(rows, &mut applying) > 4000);
    standby.sql("postgres", "SELECT pg_wal_replay_resume()");
    assert!(applying.wait().unwrap().success());
    assert_eq!(rows(), 4000);
}

fn count(database: &Database) -> u64 {
    database.sql("SELECT count(*) FROM note").trim().parse().unwrap()
}

#[test]
fn it_waits_for_an_old_snapshot_to_end_once_many_dead_rows_depend_on_it() {
    let scene = Scene::new(Kind::Postgres, &format!("{}{SLOW}", notes("note", 6000)));
    scene.sql("VACUUM ANALYZE note");
    scene.policy(&format!(
        "batch = {{ target = '50ms', max_snapshot_age = '1s', max_dead_rows = 100 }}\n{}",
        rule("note", "action = 'delete'")
    ));
    let mut reader = Postgres::shared().program("psql");
    reader.args(["-XAtq", "-d", &scene.postgres().socket_url()]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut reader = reader.spawn().unwrap();
    std::io::Write::write_all(
        reader.stdin.as_mut().unwrap(),
        b"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM note;\n",
    )
    .unwrap();
    let open = "pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()";
    until("the snapshot is taken", patient(), || scene.count(open) == 1);
    let mut applying = scene.applying().stdout(Stdio::null()).spawn().unwrap();
    let rows = || scene.count("note");
    eventually("rows go", patient(), || (rows() < 5900).then_some(()));
    assert!(stands_still(rows, &mut applying) > 4000);
    reader.kill().unwrap();
    reader.wait().unwrap();
    assert!(applying.wait().unwrap().success());
    assert_eq!(scene.count("note"), 4000);
}

#[test]
fn rows_that_suddenly_take_long_go_in_smaller_numbers() {
    let scene = Scene::new(Kind::Postgres, &notes("note", 3000));
    // Each of them takes longer than a whole transaction should.
    scene.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
             $$BEGIN IF OLD.id BETWEEN 1500 AND 1530 THEN PERFORM pg_sleep(0.15); END IF; RETURN OLD; END$$;
         CREATE TRIGGER slow BEFORE DELETE ON note FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    scene.policy(&format!("batch = {{ target = '20ms' }}\n{}", rule("note", "action = 'delete'")));
    scene.apply().succeeds();
    assert_eq!(scene.count("note"), 2000);
    let longest = scene.logged("disposition_completed")[0]["detail"]["longest_ms"].as_u64().unwrap();
    assert!(longest < 1000, "{longest} ms");
}

#[test]
fn rows_under_random_keys_are_walked_through_page_by_page() {
    let scene = Scene::new(
        Kind::Postgres,
        "CREATE TABLE note (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n int, made timestamptz);
         INSERT INTO note (n, made) SELECT i, now() - make_interval(days => 30 + i / 75) FROM generate_series(1, 6000) i;",
    );
    scene.sql("ANALYZE note");
    scene.policy(&rule("note", "action = 'delete'"));
    assert_eq!(scene.rule("old note")["meaning"]["walk"], "pages of the table");
    let left = scene.sql("SELECT count(*), sum(n) FROM note WHERE made >= now() - interval '90 days'");
    scene.apply().succeeds();
    assert_eq!(scene.sql("SELECT count(*), sum(n) FROM note"), left);
}
