//! What is held about a person, written out.

use std::os::unix::fs::PermissionsExt as _;

use rstest::rstest;

use super::people::{Key, policy, school};
use super::scene::Kind;

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
