//! Databases that people have and tools trip over: backed up, restored and compared.

use rstest::rstest;

use crate::support::{Database, Postgres, Sandbox, nightly, unique};

/// Backs a database up, restores it into a new one, and gives the new one's answer to a question.
#[track_caller]
fn there_and_back(url: &str, question: &str) -> String {
    let (server, sandbox) = (Postgres::shared(), Sandbox::new());
    sandbox.configure(&nightly("app", url, &["local"], ""));
    let folder = sandbox.run_nightly();
    let manifest = Sandbox::manifest(&folder);
    assert_eq!(manifest["fingerprint"]["not_fingerprinted"], serde_json::Value::Null);
    let new = unique("restored");
    let said = sandbox.json(&["restore", "latest", "--database", "app", "--into", &server.url(&new)]);
    let comparison = &said["result"]["comparison"];
    assert_eq!((&comparison["same"], &comparison["proven"]), (&true.into(), &true.into()), "{comparison:#}");
    let answer = server.sql(&new, question);
    server.sql("postgres", &format!("DROP DATABASE \"{new}\""));
    answer
}

#[rstest]
#[case::quotes_and_spaces(r#"we"ird 'name' with  spaces"#)]
#[case::unicode("naïve 表 💾 ß")]
#[case::as_long_as_allowed("sixty_three_bytes_are_what_postgresql_allows_a_name_to_have_xyz")]
#[case::like_a_connection_string("host=elsewhere dbname=x")]
#[case::like_an_option("--clean")]
fn names_are_no_matter(#[case] name: &str) {
    let (server, quoted) = (Postgres::shared(), quote(name));
    // A database's name has to be unique on the shared server.
    let mark = unique("x");
    let room = 63 - mark.len();
    let kept: String = name.char_indices().take_while(|(at, c)| at + c.len_utf8() <= room).map(|(_, c)| c).collect();
    let database = format!("{kept}{mark}");
    server.sql("postgres", &format!("CREATE DATABASE {}", quote(&database)));
    server.sql(
        &database,
        &format!(
            "CREATE SCHEMA {quoted}; CREATE TABLE {quoted}.{quoted} ({quoted} int PRIMARY KEY, other text); \
             INSERT INTO {quoted}.{quoted} SELECT i, i::text FROM generate_series(1, 7) i"
        ),
    );
    let question = format!("SELECT count(*) FROM {quoted}.{quoted}");
    assert_eq!(there_and_back(&server.url(&database), &question), "7\n");
    server.sql("postgres", &format!("DROP DATABASE {}", quote(&database)));
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[test]
fn an_empty_database_is_a_backup_like_any_other() {
    let database = Postgres::shared().database();
    assert_eq!(there_and_back(&database.url(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0\n");
}

const TYPES: &str = r#"
CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); CREATE DOMAIN percent AS numeric CHECK (VALUE BETWEEN 0 AND 100);
CREATE TYPE pair AS (a int, b text);
CREATE TABLE types (
  b bytea, j jsonb, js json, u uuid, tz timestamptz, ts timestamp, d date, t timetz, iv interval, n numeric,
  f float8, r float4, m money, bits varbit, ip inet, net cidr, mac macaddr8, p point, pg polygon, ir int4range,
  mr nummultirange, ta text[][], mo mood, pc percent, pr pair, x xml, tsv tsvector, tsq tsquery, c "char", o oid,
  reg regclass, lsn pg_lsn, ch char(5), bo bool, nm name);
INSERT INTO types VALUES ('\x00ff5c0a', '{"a": "\\n\t"}', '{"b" : 1}', gen_random_uuid(), 'infinity', '-infinity',
  '0044-03-15 BC', '23:59:60+14', '-1 year 2 mons -3 days', 'NaN', '-Infinity', '1e-45', 12.34, B'1011', '::1/64',
  '10.0.0.0/8', '08:00:2b:01:02:03:04:05', '(1,2)', '((0,0),(1,1),(1,0))', '[1,9)', '{[1,2),[3,4)}',
  '{{"a\"b",NULL},{"","\\"}}', 'it''s ok', 99.5, '(1,"x,y")', '<a>&amp;</a>', 'fat:2 cat:3', 'fat & !rat', 'x', 4294967295,
  'types', '16/B374D848', 'ab', false, 'n');
INSERT INTO types (ta) VALUES (NULL), ('{}'); INSERT INTO types (js) VALUES (E'"tab\\t newline\\n \\u00e9"');
"#;

const SHAPES: &str = r#"
CREATE TABLE measured (at date NOT NULL, v int) PARTITION BY RANGE (at);
CREATE TABLE measured_a PARTITION OF measured FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE measured_b PARTITION OF measured DEFAULT;
INSERT INTO measured SELECT date '2026-01-01' + i, i FROM generate_series(0, 364) i;
CREATE TABLE computed (a int, twice int GENERATED ALWAYS AS (a * 2) STORED, id int GENERATED ALWAYS AS IDENTITY);
INSERT INTO computed (a) SELECT generate_series(1, 50);
CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE dropped (a int, gone text, c int); INSERT INTO dropped VALUES (1, 'x', 2); ALTER TABLE dropped DROP gone;
CREATE UNLOGGED TABLE unlogged AS SELECT 1 AS i;
CREATE TABLE chicken (id int PRIMARY KEY, egg int); CREATE TABLE egg (id int PRIMARY KEY, chicken int REFERENCES chicken);
ALTER TABLE chicken ADD FOREIGN KEY (egg) REFERENCES egg DEFERRABLE INITIALLY DEFERRED;
BEGIN; INSERT INTO chicken VALUES (1, 1); INSERT INTO egg VALUES (1, 1); COMMIT;
CREATE TABLE parent (a int); CREATE TABLE child (b int) INHERITS (parent);
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 3);
CREATE MATERIALIZED VIEW summed AS SELECT sum(v) AS total FROM measured;
CREATE TABLE guarded (i int); INSERT INTO guarded VALUES (1), (2); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE SEQUENCE counter; SELECT nextval('counter');
SELECT lo_from_bytea(0, decode(repeat('00ff', 3000), 'hex')), lo_create(0);
"#;

#[rstest]
#[case::types(TYPES, "SELECT count(*), min(b::text) FROM types", "4|\\x00ff5c0a\n")]
#[case::shapes(
    SHAPES,
    "SELECT (SELECT count(*) FROM measured), (SELECT sum(twice) FROM computed), (SELECT count(*) FROM no_columns), \
     (SELECT total FROM summed), (SELECT count(*) FROM parent), (SELECT count(*) FROM pg_largeobject_metadata)",
    "365|2550|2|66430|2|2\n"
)]
fn what_is_in_it_comes_back_as_it_was(#[case] sql: &str, #[case] question: &str, #[case] answer: &str) {
    let database = Postgres::shared().database();
    database.sql(sql);
    assert_eq!(there_and_back(&database.url(), question), answer);
}

#[test]
fn another_encoding_comes_back_as_it_was() {
    let database: Database = Postgres::shared().database_like("TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
    database.sql("CREATE TABLE t (v text); INSERT INTO t VALUES ('Straße'), ('é')");
    let question = "SELECT pg_encoding_to_char(encoding), (SELECT count(*) FROM t WHERE v = 'Straße') \
                    FROM pg_database WHERE datname = current_database()";
    assert_eq!(there_and_back(&database.url(), question), "LATIN1|1\n");
}
