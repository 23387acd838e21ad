//! Servers of other major versions: each dumped by its own pg_dump, the archive read in its own version, and what was
//! hashed there is hashed alike elsewhere.

use crate::support::{OwnPostgres, Postgres, Sandbox, nightly, unique};

/// Rows of many types, a generated column, partitions, a large object.
const ROWS: &str = "
    CREATE TABLE note (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text, at timestamptz, doc jsonb, raw bytea,
        twice text GENERATED ALWAYS AS (body || body) STORED);
    INSERT INTO note (body, at, doc, raw) SELECT md5(i::text), timestamptz '2026-03-29 00:00Z' + i * interval '7 min',
        jsonb_build_object('n', i), decode(md5(i::text), 'hex') FROM generate_series(1, 5000) i;
    CREATE TABLE part (id int, body text) PARTITION BY RANGE (id);
    CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
    CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (100) TO (200);
    INSERT INTO part SELECT i, repeat('x', i) FROM generate_series(0, 199) i;
    SELECT lo_from_bytea(0, decode(repeat('cafe', 5000), 'hex'));";

/// Puts the rows in, backs them up with the server's own tools, and looks at what the manifest says of them.
fn backed_up(server: &Postgres, sandbox: &Sandbox) -> serde_json::Value {
    let database = server.database();
    database.sql(ROWS);
    let bindir = format!("pg_bindir = '{}'\n", server.bindir.display());
    sandbox.configure_daemon(&bindir, &nightly("app", &database.url(), &["local"], ""));
    Sandbox::manifest(&sandbox.run_nightly())
}

fn restored(sandbox: &Sandbox, into: &Postgres) {
    let url = into.url(&unique("copy"));
    let text = std::fs::read_to_string(sandbox.config()).unwrap();
    let bindir = format!("pg_bindir = '{}'", into.bindir.display());
    let text: Vec<&str> =
        text.lines().map(|line| if line.starts_with("pg_bindir") { bindir.as_str() } else { line }).collect();
    sandbox.configure_exactly(&text.join("\n"));
    let said = sandbox.caretaker(&["restore", "latest", "--database", "app", "--into", &url, "--yes"]).succeeds();
    assert!(said.stdout.contains("same hash") && !said.stdout.contains("differs"), "{}", said.stdout);
}

#[rstest::rstest]
fn the_servers_own_pg_dump_is_chosen_and_its_archive_read(#[values(16, 18)] major: u32) {
    let (server, sandbox) = (OwnPostgres::of_major(major), Sandbox::new());
    let manifest = backed_up(&server, &sandbox);
    let dumped_by = manifest["tools"]["pg_dump"].as_str().unwrap();
    assert!(dumped_by.contains(&format!(" {major}.")), "{dumped_by}");
    assert_eq!(manifest["fingerprint"]["not_fingerprinted"], serde_json::Value::Null);
    let rows: Vec<u64> =
        manifest["tables"].as_array().unwrap().iter().map(|table| table["rows"].as_u64().unwrap()).collect();
    assert_eq!(rows, [5000, 100, 100]);
    restored(&sandbox, &server);
}

#[test]
fn what_was_dumped_from_an_older_server_has_the_same_hashes_in_a_newer_one() {
    let (old, new, sandbox) = (OwnPostgres::of_major(16), OwnPostgres::of_major(18), Sandbox::new());
    backed_up(&old, &sandbox);
    restored(&sandbox, &new);
    let (shared, sandbox) = (Postgres::shared(), Sandbox::new());
    backed_up(&shared, &sandbox);
    restored(&sandbox, &new);
}
