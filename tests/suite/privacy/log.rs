//! The disposition log: what was done stands in it, and nobody edits it unseen.

use super::scene::{Kind, Scene, notes, rule};
use crate::support::stock;

fn applied() -> Scene {
    let scene = Scene::new(Kind::Sqlite, &notes("note", 30));
    scene.policy(&rule("note", "action = 'delete'\nreason = 'item 12'"));
    scene.apply().succeeds();
    scene.apply().succeeds();
    scene
}

#[test]
fn each_application_stands_in_it_before_and_after() {
    let scene = applied();
    let (started, completed) = (scene.logged("disposition_started"), scene.logged("disposition_completed"));
    assert_eq!((started.len(), completed.len()), (2, 2));
    assert_eq!(started[0]["detail"]["planned"], 10);
    assert_eq!(started[0]["detail"]["reason"], "item 12");
    assert_eq!(completed[0]["detail"]["rows"], 10);
    assert_eq!(started[0]["detail"]["disposition"], completed[0]["detail"]["disposition"]);
    assert!(started[0]["seq"].as_u64() < completed[0]["seq"].as_u64());
}

#[test]
fn each_line_can_be_checked_without_caretaker() {
    let scene = applied();
    let log = scene.privacy(&["log", "--format", "json"]).succeeds().stdout;
    let mut prev = "0".repeat(64);
    for line in log.lines() {
        // The hash is of the line without it.
        let (body, hash) = line.trim_end_matches("\"}").split_once(",\"hash\":\"").unwrap();
        let file = scene.sandbox.path("line");
        std::fs::write(&file, format!("{body}}}")).unwrap();
        assert_eq!(stock::sha256(&file), hash);
        assert!(body.ends_with(&format!("\"prev\":\"{prev}\"")), "{body}");
        hash.clone_into(&mut prev);
    }
}

#[test]
fn an_edit_a_hole_and_a_swap_are_found() {
    let drop = "DROP TRIGGER disposition_log_is_not_edited; DROP TRIGGER disposition_log_is_not_cut;";
    for (tampered, found) in [
        ("UPDATE disposition_log SET who = 'somebody else' WHERE seq = 2", "line 2: it was changed"),
        ("UPDATE disposition_log SET detail = replace(detail, '10', '11') WHERE seq = 3", "line 3: it was changed"),
        ("DELETE FROM disposition_log WHERE seq = 3", "line 3 is missing"),
        ("DELETE FROM disposition_log WHERE seq = 1", "line 1 is missing"),
        (
            "UPDATE disposition_log SET seq = 99 WHERE seq = 2; UPDATE disposition_log SET seq = 2 WHERE seq = 3;
             UPDATE disposition_log SET seq = 3 WHERE seq = 99",
            "line 2: it does not follow",
        ),
    ] {
        let scene = applied();
        scene.privacy(&["verify-log"]).succeeds().says("the log is as it was written: 5 lines");
        stock::sqlite(&scene.sandbox.state().join("state.db"), &format!("{drop} {tampered}"));
        scene.privacy(&["verify-log"]).exits(5).says(found);
    }
}

#[test]
fn lines_cannot_be_changed_by_mistake() {
    let scene = applied();
    let path = scene.sandbox.state().join("state.db");
    let connection = rusqlite::Connection::open(path).unwrap();
    for statement in ["UPDATE disposition_log SET who = 'x'", "DELETE FROM disposition_log"] {
        let refused = connection.execute(statement, []).unwrap_err().to_string();
        assert!(refused.contains("the disposition log is only added to"), "{refused}");
    }
}
