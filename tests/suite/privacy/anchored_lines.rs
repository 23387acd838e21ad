//! The lines of the log as the stores were told them, compared one by one with what stands in it.

use std::fs;

use rstest::rstest;
use serde_json::Value;

use super::anchors::{Anchored, Place};
use super::scene::rule;
use crate::backup::codecs::key_pair;
use crate::support::stock;

/// Gives every line the hash that it should have, as somebody could who has only the state store.
fn rebuild(anchored: &Anchored) {
    use std::fmt::Write as _;
    let mut prev = "0".repeat(64);
    let mut sql = String::new();
    for line in anchored.log() {
        let (body, _) = line.trim_end_matches("\"}").split_once(",\"hash\":\"").unwrap();
        let (front, _) = body.rsplit_once(",\"prev\":\"").unwrap();
        let seq = serde_json::from_str::<Value>(&line).unwrap()["seq"].clone();
        let file = anchored.scene.sandbox.path("line");
        fs::write(&file, format!("{front},\"prev\":\"{prev}\"}}")).unwrap();
        let hash = stock::sha256(&file);
        write!(sql, "UPDATE disposition_log SET prev = '{prev}', hash = '{hash}' WHERE seq = {seq};").unwrap();
        prev = hash;
    }
    anchored.tamper(&sql);
}

#[rstest]
fn a_log_that_was_made_anew_is_told_line_by_line(#[values(Place::Directory, Place::Bucket)] place: Place) {
    let anchored = Anchored::new(place);
    anchored.apply().apply();
    anchored.scene.privacy(&["verify-log"]).succeeds().says("7 lines, compared with 2 anchors, line by line with 2");
    anchored.tamper("UPDATE disposition_log SET who = 'somebody else' WHERE seq = 2");
    anchored.tamper("UPDATE disposition_log SET detail = replace(detail, '10', '11'), at_ms = at_ms + 1 WHERE seq = 3");
    rebuild(&anchored);
    let told = anchored.scene.privacy(&["verify-log"]).exits(5);
    let store = if place == Place::Bucket { "store bucket" } else { "store local" };
    let told = told
        .says(&format!("line 2: another person than was told to {store}"))
        .says(&format!("line 3: another instant, detail than was told to {store}"))
        .says(&format!("line 4: it is not the line that {store} knows"));
    for other in ["line 1:", "line 5:", "line 6:"] {
        assert!(!told.stdout.contains(other), "{}", told.stdout);
    }
}

#[test]
fn lines_that_are_encrypted_are_compared_with_the_key_and_without_it_only_the_heads() {
    let anchored = Anchored::new(Place::Directory);
    let (key, public) = key_pair(&anchored.scene.sandbox, "key");
    let (other, _) = key_pair(&anchored.scene.sandbox, "other");
    let backup = format!("[backup.nightly]\ndatabase = 'app'\nstores = ['local']\nencrypt_to = ['{public}']\n");
    anchored.scene.configure(&backup, &rule("note", "action = 'delete'"));
    anchored.apply();
    let verify = |key: &std::path::Path| anchored.scene.privacy(&["verify-log", "--identity", key.to_str().unwrap()]);
    anchored.scene.privacy(&["verify-log"]).succeeds().says("of 1 anchor only the head was compared");
    verify(&other).succeeds().says("of 1 anchor only the head was compared");
    verify(&key).succeeds().says("line by line with 1");
    anchored.tamper("UPDATE disposition_log SET who = 'somebody else' WHERE seq = 2");
    rebuild(&anchored);
    let head = anchored.scene.privacy(&["verify-log"]).exits(5);
    assert!(!head.says("line 4: it is not the line that").stdout.contains("line 2:"));
    verify(&key).exits(5).says("line 2: another person than was told to store local");
}

#[test]
fn lines_that_were_changed_in_the_store_are_told_from_those_of_the_log() {
    let anchored = Anchored::new(Place::Directory);
    let objects = anchored.apply().objects();
    let (name, bytes) = &objects[1];
    let file = anchored.scene.sandbox.store().join(name);
    let text = String::from_utf8(bytes.clone()).unwrap().replace("\"planned\":10", "\"planned\":11");
    fs::write(file, text).unwrap();
    anchored
        .scene
        .privacy(&["verify-log"])
        .exits(5)
        .says("what was written there was changed: its hash is another, in store local");
}
