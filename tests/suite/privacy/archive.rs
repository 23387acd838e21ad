//! Archived rows: whole, encrypted and as they were, before they go; readable with stock tools.

use rstest::rstest;
use serde_json::Value;

use super::archiving::Archiving;
use super::scene::{Kind, days_ago, notes};
use crate::support::stock;

#[rstest]
fn what_went_is_in_the_archive_and_the_rest_is_as_it_was(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let it = Archiving::new(kind, &notes("note", 3000));
    it.policy(&it.rule("note", ", expire_after = '7 years'", "where = \"who <> 'p3'\"\nreason = 'item 12'"));
    let rest = "SELECT * FROM note WHERE NOT (id % 3 = 0 AND who <> 'p3') ORDER BY id";
    let before = it.scene.sql(rest);
    let plan = it.scene.rule("old note");
    assert_eq!((&plan["meaning"]["rows"], &plan["action"]), (&900.into(), &"archive to local, then delete".into()));
    assert!(it.objects("manifest.json").is_empty(), "planning writes nothing");
    it.scene.apply().succeeds().says("old note: 900 rows");
    assert_eq!(it.scene.sql("SELECT * FROM note ORDER BY id"), before);
    let expected: Vec<i64> = (1..=3000).filter(|id| id % 3 == 0 && id % 10 != 3).collect();
    assert_eq!(it.ids(), expected);
    let row: Value = serde_json::from_str(&it.lines()[0]).unwrap();
    assert_eq!(
        (&row["who"], &row["body"]),
        (&format!("p{}", row["id"].as_i64().unwrap() % 10).into(), &format!("text {}", row["id"]).into())
    );
    let [manifest] = it.manifests().try_into().unwrap();
    assert_eq!(
        (&manifest["rows"], &manifest["rule"], &manifest["reason"]),
        (&900.into(), &"old note".into(), &"item 12".into())
    );
    let object = it.objects("rows.jsonl.zst.age").remove(0);
    assert_eq!(manifest["object"]["sha256"], stock::sha256(&object));
    assert_eq!(manifest["encrypted_to"][0], it.public);
    let text = manifest.to_string();
    assert!(!text.contains("text 6"), "no value stands in the manifest: {text}");
    let [logged] = it.scene.logged("rows_archived").try_into().unwrap();
    assert_eq!((&logged["detail"]["rows"], &logged["detail"]["sha256"]), (&900.into(), &manifest["object"]["sha256"]));
    it.scene.privacy(&["archives"]).succeeds().says("old note").says("900");
    it.scene.apply().succeeds().says("old note: 0 rows");
    assert_eq!(it.manifests().len(), 1, "what finds nothing writes nothing");
    it.scene.privacy(&["verify-log"]).succeeds();
}

#[test]
fn postgres_reads_every_value_back_as_it_was() {
    let it = Archiving::new(
        Kind::Postgres,
        &format!(
            "CREATE TYPE mood AS ENUM ('fine', 'it''s \"odd\"');
             CREATE TABLE note (id bigint PRIMARY KEY, \"odd \"\"name'\" text, n numeric, f float8, r real, b bytea, t timestamp,
                 d date, i interval, j json, jb jsonb, a int[], ta text[], m mood, ip inet, u uuid, ok boolean, rg tstzrange,
                 made timestamptz);
             INSERT INTO note VALUES
                 (9007199254740993, E'line\\nbreak \"q\" \\\\ tab\\t \\u00e9 \\U0001F600', '123456789012345678901234567890.12300',
                  0.1::float8 + 0.2::float8, 1e-30, '\\x00ff5c78', '2020-02-29 23:59:59.999999', '2020-02-29', '1 mon -2 days 03:04:05.6',
                  E'{{\"b\": 1.00,\\n \"a\": 12345678901234567890.5, \"a\": null}}', '{{\"k\": [1.50, \"x\"]}}', '[2:3]={{1,NULL}}',
                  ARRAY['a,b', 'c\"d', NULL, ''], 'it''s \"odd\"', '10.0.0.0/8', gen_random_uuid(), true, '[2020-01-01,)', '{old}'),
                 (2, '', 'NaN', 'NaN', '-Infinity', '', 'infinity', '0044-03-15 BC', '0', '[]', '\"text\"', '{{}}', '{{}}', 'fine', '::1',
                  NULL, false, 'empty', '{old}'),
                 (3, NULL, NULL, '-0', NULL, NULL, NULL, NULL, NULL, 'null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{old}');
             CREATE TABLE before AS TABLE note;",
            old = days_ago(100)
        ),
    );
    it.policy(&it.rule("note", "", ""));
    it.scene.apply().succeeds().says("old note: 3 rows");
    assert_eq!(it.scene.count("note"), 0);
    // As docs/privacy.md says it.
    let file =
        it.scene.sandbox.secret("rows.jsonl", &(it.lines().join("\n").replace("{\"$json\":null}", "null") + "\n"));
    it.scene.sql(&format!(
        "CREATE TABLE loaded (line json);\n\\copy loaded FROM '{}' (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')\n\
         INSERT INTO note SELECT r.* FROM loaded, json_populate_record(NULL::note, line) r;",
        file.display()
    ));
    assert_eq!(it.scene.count("note"), 3);
    // JSON's null is not the server's, and what reads a record makes that of it.
    assert!(it.lines()[2].contains("\"j\":{\"$json\":null},\"jb\":null"), "{}", it.lines()[2]);
    it.scene.sql("UPDATE note SET j = 'null' WHERE id = 3");
    let all = |table: &str| it.scene.sql(&format!("SELECT n::text, * FROM {table} ORDER BY id"));
    // A document of type json keeps its words, not its line ends.
    assert_eq!(all("note"), all("before").replace("{\"b\": 1.00,\n \"a\"", "{\"b\": 1.00,  \"a\""));
}

#[test]
fn sqlite_values_keep_their_storage_class() {
    let it = Archiving::new(
        Kind::Sqlite,
        &format!(
            "CREATE TABLE note (id INTEGER PRIMARY KEY, x, made TEXT);
             INSERT INTO note VALUES (1, 1, '{old}'), (2, 1.0, '{old}'), (3, '1', '{old}'), (4, x'31ff', '{old}'),
                 (5, NULL, '{old}'), (6, 9223372036854775807, '{old}'), (7, 0.1 + 0.2, '{old}'), (8, 9e999, '{old}'),
                 (9, CAST(x'61ff' AS TEXT), '{old}'), (10, 'a' || char(0) || '\"' || char(10) || 'é', '{old}');",
            old = days_ago(100)
        ),
    );
    it.policy(&it.rule("note", "", ""));
    it.scene.apply().succeeds().says("old note: 10 rows");
    let values: Vec<String> = it
        .lines()
        .iter()
        .map(|line| line.split_once("\"x\":").unwrap().1.split_once(",\"made\"").unwrap().0.to_owned())
        .collect();
    let expected = [
        "1",
        "1.0",
        "\"1\"",
        "{\"$blob\":\"31ff\"}",
        "null",
        "9223372036854775807",
        "0.30000000000000004",
        "{\"$real\":\"inf\"}",
        "{\"$text\":\"61ff\"}",
        "\"a\\u0000\\\"\\né\"",
    ];
    assert_eq!(values, expected);
}

#[rstest]
fn rows_that_are_large_go_in_several_archives_if_they_must(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let it = Archiving::new(kind, &notes("note", 240));
    // 80 old rows of about a megabyte: more than one archive takes.
    let large = match kind {
        Kind::Postgres => "UPDATE note SET body = repeat(md5(id::text), 32768)",
        Kind::Sqlite => "UPDATE note SET body = hex(zeroblob(524288))",
    };
    it.scene.sql(large);
    it.policy(&it.rule("note", "", ""));
    it.scene.apply().succeeds().says("old note: 80 rows");
    assert_eq!(it.manifests().len(), 2);
    assert_eq!(it.ids(), (1..=240).filter(|id| id % 3 == 0).collect::<Vec<i64>>());
}

#[rstest]
fn children_go_first_and_those_that_stay_keep_their_parents_out_of_the_archive(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
) {
    let it = Archiving::new(
        kind,
        &format!(
            "{} CREATE TABLE answer (id integer PRIMARY KEY, note_id integer REFERENCES note, made timestamptz);
             INSERT INTO answer SELECT id, id, made FROM note; INSERT INTO answer VALUES (10000, 3, '{}');",
            notes("note", 300),
            days_ago(1)
        ),
    );
    it.policy(&format!("{}{}", it.rule("note", "", ""), it.rule("answer", "", "")));
    it.scene.apply().succeeds().says("old answer: 100 rows").says("old note: 99 rows");
    assert_eq!(it.ids().len(), 199);
    assert_eq!(it.scene.count("note WHERE id = 3"), 1);
}
