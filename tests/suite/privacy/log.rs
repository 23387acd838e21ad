//! The disposition log: what was done stands in it, and nobody edits it unseen.

use rstest::rstest;
use serde_json::Value;

use super::people::{self, Key};
use super::scene::{Kind, Scene, notes, rule};
use crate::support::{sqlite_url, stock};

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
        scene.privacy(&["verify-log"]).succeeds().says("the log is as it was written: 7 lines");
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

/// All lines.
fn lines(scene: &Scene) -> Vec<Value> {
    let log = scene.privacy(&["log", "--format", "json"]).succeeds().stdout;
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The kinds of the lines that something has written.
fn written(scene: &Scene, what: impl FnOnce()) -> Vec<String> {
    let before = lines(scene).len();
    what();
    lines(scene)[before..].iter().map(|line| line["kind"].as_str().unwrap().to_owned()).collect()
}

#[rstest]
fn every_plan_applied_refusal_cap_and_change_of_policy_stands_in_it(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
) {
    let scene = Scene::new(kind, &notes("note", 30));
    let policy = |extra: &str, rest: &str| scene.policy(&format!("{extra}{}", rule("note", rest)));
    policy("", "action = 'delete'\nwhere = 'id = 3'");
    let apply = || drop(scene.apply());
    let began = ["disposition_started", "disposition_completed", "policy_applied"];
    assert_eq!(written(&scene, apply), [&["policy_approved"][..], &began].concat());
    // Batch totals, and who did it where.
    let completed = &scene.logged("disposition_completed")[0];
    assert_eq!((&completed["detail"]["rows"], &completed["detail"]["batches"]), (&1.into(), &1.into()));
    assert!(completed["who"].is_string() && completed["host"].is_string() && completed["run"].is_string());
    // Another policy: nothing is done, then it is approved by a wrong hash and by the right one.
    policy("", "action = 'delete'\nwhere = 'id = 6'");
    assert_eq!(written(&scene, apply), ["policy_changed"]);
    let plan = scene.plan();
    let hash = plan["hash"].as_str().unwrap();
    assert_eq!(scene.logged("policy_changed")[0]["detail"]["policy_hash"], hash);
    assert_eq!(written(&scene, || drop(scene.privacy(&["approve", "school", "0123456789"]).exits(3))), ["refused"]);
    assert_eq!(written(&scene, || drop(scene.privacy(&["approve", "school", hash]).succeeds())), ["policy_approved"]);
    assert_eq!(written(&scene, apply), began);
    // Where nobody has to approve it, that it changed is written down all the same.
    policy("approval = false\n", "action = 'delete'\nwhere = 'id = 9'");
    assert_eq!(written(&scene, apply), [&["policy_changed"][..], &began].concat());
    assert_eq!(written(&scene, apply), began);
    policy("approval = false\ncaps = { max_rows = 1 }\n", "action = 'delete'");
    assert_eq!(written(&scene, apply), ["policy_changed", "cap_reached", "policy_applied"]);
    policy("approval = false\nrequires_backup_within = '1 hour'\n", "action = 'delete'");
    assert_eq!(written(&scene, apply), ["refused"]);
    policy("approval = false\n", "action = 'delete'\nwhere = 'nothing = 1'");
    assert_eq!(written(&scene, apply), ["policy_changed", "refused", "policy_applied"]);
    scene.privacy(&["verify-log"]).succeeds();
}

#[rstest]
fn every_hold_erasure_and_export_stands_in_it(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = people::school(kind, Key::Integer);
    scene.policy(&people::policy(Key::Integer));
    let id = Key::Integer.of(3);
    let run = |arguments: &[&str]| drop(scene.privacy(arguments));
    let hold = ["hold", "add", "school", "--subject", &id, "--reason", "case 7"];
    assert_eq!(written(&scene, || run(&hold)), ["hold_added"]);
    let erase = ["erase", "school", "--subject", &id, "--yes"];
    assert_eq!(written(&scene, || run(&erase)), ["policy_approved", "erasure_requested", "erasure_deferred"]);
    assert_eq!(written(&scene, || run(&["export", "school", "--subject", &id])), ["subject_exported"]);
    let release = ["hold", "release", "school", "--subject", &id];
    assert_eq!(written(&scene, || run(&release)), ["hold_released", "erasure_completed"]);
    // Nobody may be erased whom the policy has stand for nobody.
    assert_eq!(written(&scene, || run(&["erase", "school", "--subject", &Key::Integer.of(0), "--yes"])), ["refused"]);
    assert!(lines(&scene).iter().all(|line| line["who"].is_string() && line["host"].is_string()));
}

#[rstest]
fn every_restore_prune_and_backup_taken_out_stands_in_it(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = Scene::new(kind, &notes("note", 30));
    let backup = "[backup.nightly]\ndatabase = 'app'\nstores = ['local']\nretention = 'last 1'\n";
    scene.configure(backup, &rule("note", "action = 'delete'"));
    scene.sandbox.run_nightly();
    assert_eq!(written(&scene, || drop(scene.sandbox.run_nightly())), ["backups_pruned"]);
    scene.apply().succeeds();
    // The last that held the rows goes with the next.
    assert_eq!(written(&scene, || drop(scene.sandbox.run_nightly())), ["backups_pruned", "copies_gone"]);
    let folder = scene.sandbox.path("taken");
    let out = ["backup", "now", "app", "--output", folder.to_str().unwrap()];
    assert_eq!(written(&scene, || drop(scene.sandbox.caretaker(&out).succeeds())), ["backup_fetched"]);
    assert_eq!(scene.logged("backup_fetched")[0]["detail"]["into"], folder.to_str().unwrap());
    if kind == Kind::Sqlite {
        let into = sqlite_url(&scene.sandbox.path("new.db"));
        let restore = ["restore", "latest", "--database", "app", "--into", &into];
        let restored = ["restore_started", "backup_restored"];
        assert_eq!(written(&scene, || drop(scene.sandbox.caretaker(&restore).succeeds())), restored);
    }
}

#[test]
fn the_servers_words_do_not_stand_in_it() {
    let scene = Scene::new(Kind::Postgres, &notes("note", 30));
    scene.sql(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
             $$BEGIN RAISE 'may not delete ann@school.example'; END$$;
         CREATE TRIGGER no BEFORE DELETE ON note FOR EACH ROW EXECUTE FUNCTION no();
         CREATE FUNCTION odd(who text) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE 'odd: ann@school.example'; END$$",
    );
    let odd = rule("note", "action = 'delete'\nwhere = 'odd(who)'").replace("old note", "odd");
    scene.policy(&format!("{}{odd}", rule("note", "action = 'delete'")));
    // Whoever applies it is told.
    scene.apply().exits(1).complains("may not delete ann@school.example");
    let log = scene.privacy(&["log", "--format", "json"]).succeeds().stdout;
    assert!(!log.contains("ann@"), "{log}");
    assert!(log.contains("a row, a constraint or a trigger was against it"), "{log}");
    let anchored = crate::support::files(&scene.sandbox.store().join("_caretaker/log"));
    assert!(anchored.iter().all(|path| !std::fs::read_to_string(path).unwrap().contains("ann@")));
}
