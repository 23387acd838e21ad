//! What is held about a person, written out.

use std::os::unix::fs::PermissionsExt as _;

use rstest::rstest;

use super::people::{Key, policy, school};
use super::scene::{Kind, Scene};

#[rstest]
fn what_is_held_about_a_person_is_written_out_as_json(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind, Key::Text);
    scene.policy(&policy(Key::Text));
    let id = Key::Text.of(3);
    let held = scene.privacy(&["export", "school", "--subject", &id]).succeeds().json();
    let places = held["places"].as_array().unwrap();
    let rows: Vec<(&str, usize)> = places
        .iter()
        .map(|place| (place["table"].as_str().unwrap(), place["rows"].as_array().unwrap().len()))
        .collect();
    let expected = [("users", 1), ("sessions", 6), ("responses", 6), ("essays", 6), ("versions", 6), ("comments", 6)];
    assert_eq!(rows, expected);
    assert_eq!(places[0]["rows"][0], serde_json::json!({"id": id, "name": "name 3"}));
    let comments = places[5]["rows"].as_array().unwrap();
    assert!(comments.iter().all(|row| row["id"].as_u64().unwrap() % 10 == 2), "{comments:?}");
    // Nothing was changed, and the log tells that it was done, and not about whom.
    assert_eq!(scene.count("comments"), 60);
    let logged = scene.logged("subject_exported");
    assert_eq!(logged[0]["detail"]["places"][5], serde_json::json!({"table": "comments", "rows": 6}));
    assert!(!logged[0].to_string().contains(&id));
}

#[rstest]
fn the_file_is_its_owners_alone_and_never_another_one(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind, Key::Integer);
    scene.policy(&policy(Key::Integer));
    let file = scene.sandbox.path("held.json");
    let export = || {
        let id = Key::Integer.of(3);
        scene.privacy(&["export", "school", "--subject", &id, "--output", file.to_str().unwrap()])
    };
    export().succeeds().says("31 rows in");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let held: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(held["places"][0]["rows"][0]["name"], "name 3");
    std::fs::write(&file, "mine").unwrap();
    export().exits(3).complains("exists already");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(scene.logged("subject_exported").len(), 1);
}

/// How a member of the export's only row is written.
fn written(text: &str, member: &str) -> String {
    let row: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> = {
        let from = text.find("\"rows\": [").unwrap() + "\"rows\": [".len();
        let mut rows = serde_json::Deserializer::from_str(&text[from..]).into_iter();
        rows.next().unwrap().unwrap()
    };
    row[member].get().to_owned()
}

#[test]
fn numbers_and_documents_are_written_digit_for_digit_as_the_database_has_them() {
    let documents = [
        ("exact", "numeric", "12345678901234567890.1234567890123456789"),
        ("padded", "numeric", "1.10"),
        ("whole", "bigint", "9223372036854775807"),
        ("single", "real", "0.1"),
        ("double", "float8", "1e+300"),
        ("below", "float8", "-0"),
        ("digits", "json", "[1.100, 12345678901234567890123, -0.0]"),
        ("twice", "json", r#"{"b":1,"a":1.10,"a":2}"#),
        ("odd", "json", "{\"a\" :\n\t[ ]}"),
    ];
    let columns: String = documents.iter().map(|(name, kind, _)| format!(", {name} {kind}")).collect();
    let values: String = documents.iter().map(|(_, kind, value)| format!(", {kind} '{value}'")).collect();
    let scene = Scene::new(
        Kind::Postgres,
        &format!(
            "CREATE TABLE person (id int PRIMARY KEY{columns}, huge jsonb, none float8, endless float8, price money, said text);
             INSERT INTO person VALUES (1{values}, '{{\"a\": 1e400}}', 'NaN', '-Infinity', 12.5, '1.10')"
        ),
    );
    scene.policy("[privacy.school.subject]\ntable = 'person'\nkey = 'id'\n");
    let export = ["export", "school", "--subject", "1"];
    let file = scene.sandbox.path("held.json");
    scene.privacy(&[&export[..], &["--output", file.to_str().unwrap()]].concat()).succeeds();
    let texts = [
        scene.privacy(&export).succeeds().stdout,
        scene.privacy(&[&export[..], &["--format", "json"]].concat()).succeeds().stdout,
        std::fs::read_to_string(&file).unwrap(),
    ];
    for text in texts {
        for (name, _, value) in documents {
            assert_eq!(written(&text, name), value, "{name}");
        }
        assert_eq!(written(&text, "huge"), scene.sql("SELECT huge FROM person"));
        assert_eq!(written(&text, "price"), format!("\"{}\"", scene.sql("SELECT price FROM person")));
        assert_eq!(written(&text, "none") + &written(&text, "endless"), r#""NaN""-Infinity""#);
        assert_eq!(written(&text, "said"), r#""1.10""#);
    }
}

#[test]
fn what_is_no_number_in_json_is_written_as_text_on_sqlite_too() {
    let scene = Scene::new(
        Kind::Sqlite,
        "CREATE TABLE person (id integer PRIMARY KEY, a real, b real, c decimal(5, 2), doc json);
         INSERT INTO person VALUES (1, 9e999, -0.5, 'true', '{\"a\":1.10,\"a\":2}')",
    );
    scene.policy("[privacy.school.subject]\ntable = 'person'\nkey = 'id'\n");
    let text = scene.privacy(&["export", "school", "--subject", "1"]).succeeds().stdout;
    let found: Vec<String> = ["a", "b", "c", "doc"].iter().map(|member| written(&text, member)).collect();
    assert_eq!(found, [r#""Infinity""#, "-0.5", r#""true""#, r#"{"a":1.10,"a":2}"#]);
}
