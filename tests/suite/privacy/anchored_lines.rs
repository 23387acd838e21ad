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
    let wrong =
        verify(&other).succeeds().says("of 1 anchor only the head was compared: the key that was given does not fit");
    assert!(!wrong.stdout.contains("--identity"), "{}", wrong.stdout);
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

/// What somebody does to what stands in the store.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Remove,
    Write(&'static str),
    /// Another hash in it, in its place.
    OtherHash,
    /// Its second line taken out.
    CutLine,
    /// Its first line taken out.
    CutFirst,
}

#[rstest]
#[case::an_earlier_anchor(&[(0, Damage::Remove), (1, Damage::Remove)], 6, "store local: the lines 1 to 4 are in no anchor there")]
#[case::one_in_the_middle(&[(2, Damage::Remove), (3, Damage::Remove)], 6, "store local: the lines 5 to 7 are in no anchor there")]
#[case::its_document(&[(2, Damage::Remove)], 6, "store local: the lines 5 to 7 are in no anchor there")]
#[case::its_lines(&[(3, Damage::Remove)], 6, "store local: the lines up to 7 are gone (000000000007-")]
#[case::overwritten(&[(2, Damage::Write("x"))], 6, "store local: the anchor of line 7: 000000000007-")]
#[case::emptied(&[(2, Damage::Write(""))], 6, "store local: the anchor of line 7: 000000000007-")]
#[case::another_hash(&[(2, Damage::OtherHash)], 5, "line 7: what was written there was changed: the anchor is of another line")]
fn what_is_lost_or_damaged_in_the_middle_of_the_anchors_is_named_without_a_key_too(
    #[values(false, true)] is_encrypted: bool,
    #[case] damage: &[(usize, Damage)],
    #[case] exit: i32,
    #[case] said: &str,
) {
    damaged(is_encrypted, damage).scene.privacy(&["verify-log"]).exits(exit).says(said);
}

#[rstest]
#[case::no_lines(&[(3, Damage::Write(""))], 5, "line 7: what was written there was changed: it is not there any more, in store local")]
#[case::a_line_less(&[(3, Damage::CutLine)], 5, "line 6: what was written there was changed: it is not there any more, in store local")]
#[case::a_first_line_less(&[(3, Damage::CutFirst)], 6, "store local: line 5 is in no anchor there")]
fn what_is_lost_within_the_lines_of_an_anchor_is_named(
    #[case] damage: &[(usize, Damage)],
    #[case] exit: i32,
    #[case] said: &str,
) {
    damaged(false, damage).scene.privacy(&["verify-log"]).exits(exit).says(said);
}

/// Three anchors, of the lines 4, 7 and 10, to which this was done.
fn damaged(is_encrypted: bool, damage: &[(usize, Damage)]) -> Anchored {
    let anchored = Anchored::new(Place::Directory);
    if is_encrypted {
        let (_, public) = key_pair(&anchored.scene.sandbox, "key");
        let backup = format!("[backup.nightly]\ndatabase = 'app'\nstores = ['local']\nencrypt_to = ['{public}']\n");
        anchored.scene.configure(&backup, &rule("note", "action = 'delete'"));
    }
    anchored.apply().apply().apply();
    anchored.scene.privacy(&["verify-log"]).succeeds();
    let objects = anchored.objects();
    assert_eq!(objects.len(), 6, "three anchors");
    for (at, damage) in damage {
        let (name, bytes) = &objects[*at];
        let file = anchored.scene.sandbox.store().join(name);
        let text = || String::from_utf8(bytes.clone()).unwrap();
        match damage {
            Damage::Remove => fs::remove_file(file).unwrap(),
            Damage::Write(other) => fs::write(file, other).unwrap(),
            Damage::OtherHash => {
                let mut document: Value = serde_json::from_slice(bytes).unwrap();
                document["head"]["hash"] = "0f".repeat(32).into();
                fs::write(file, document.to_string()).unwrap();
            }
            Damage::CutLine => fs::write(file, cut(&text(), 1)).unwrap(),
            Damage::CutFirst => fs::write(file, cut(&text(), 0)).unwrap(),
        }
    }
    anchored
}

/// The text without one of its lines.
fn cut(text: &str, line: usize) -> String {
    let lines = text.lines().enumerate().filter(|(at, _)| *at != line);
    lines.map(|(_, line)| format!("{line}\n")).collect()
}

#[test]
fn what_a_writer_that_was_cut_off_has_left_and_what_is_written_twice_is_no_flaw() {
    let anchored = Anchored::new(Place::Directory);
    let first = anchored.apply().objects();
    // As if it had been killed before the document, and before the state store knew.
    fs::remove_file(anchored.scene.sandbox.store().join(&first[0].0)).unwrap();
    anchored.scene.sandbox.state_sql("UPDATE log_anchors SET seq = 0");
    anchored.apply();
    anchored.scene.sandbox.state_sql("UPDATE log_anchors SET seq = 4");
    anchored.apply();
    assert_eq!(anchored.objects().len(), 5);
    anchored.scene.privacy(&["verify-log"]).succeeds().says("line by line with 3");
}
