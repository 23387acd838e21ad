//! Certificates: what was done, from what was written down of it at the time; and what remained, until it went.

use std::process::Stdio;

use rstest::rstest;
use serde_json::Value;

use super::people::{self, Key, school};
use super::scene::{Kind, Scene, notes, rule};
use crate::support::{eventually, patient};

const PEOPLE: &str = "[privacy.school.subject]\ntable = 'person'\nkey = 'id'\n\
    [[privacy.school.subject.references]]\ntable = 'note'\ncolumn = 'who'\nset = { who = 'null' }\n";

/// Thirty notes of ten people, of which ten are old; a comment refers to one of those.
pub fn commented(kind: Kind) -> Scene {
    Scene::new(
        kind,
        &format!(
            "CREATE TABLE person (id text PRIMARY KEY); {}
             CREATE TABLE comment (id integer PRIMARY KEY, note_id integer REFERENCES note);
             CREATE INDEX comment_note ON comment (note_id); INSERT INTO comment VALUES (1, 9);",
            notes("note", 30)
        ),
    )
}

pub fn certificate(scene: &Scene, of: &str) -> Value {
    scene.privacy(&["certificate", of, "--format", "json"]).succeeds().json()
}

#[rstest]
fn it_says_what_was_done_what_was_kept_and_why(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = commented(kind);
    scene.policy(&format!(
        "{}{PEOPLE}",
        rule("note", "action = 'delete'\nwhere = 'id < 30'\nreason = 'schedule, item 12'")
    ));
    let hold = |arguments: &[&str]| {
        let added = scene.privacy(&[&["hold", "add", "school", "--format", "json"], arguments].concat());
        added.json()["id"].as_str().unwrap().to_owned()
    };
    let of_person = hold(&["--subject", "p3", "--reason", "case 7"]);
    let of_rows = hold(&["--table", "note", "--where", "id <= 6", "--reason", "audit"]);
    hold(&["--table", "note", "--where", "id = 29", "--reason", "of a row that is young"]);
    scene.apply().succeeds();
    let made = certificate(&scene, "latest");
    assert_eq!((&made["of"], &made["outcome"]), (&"disposition".into(), &"completed".into()));
    let done = &made["rules"][0];
    // Of 3, 6, … 27: 3 and 6 are held, 9 has a comment.
    assert_eq!((&done["planned"], &done["done"]), (&6.into(), &6.into()));
    assert_eq!(
        (&done["reason"], &done["where"], &done["action"]),
        (&"schedule, item 12".into(), &"id < 30".into(), &"delete".into())
    );
    assert_eq!(done["older_than"], "90 days");
    assert!(done["cutoff"].is_string());
    let residual = &done["residual"];
    assert_eq!(["rows", "held", "kept_for_children", "left"].map(|key| residual[key].as_u64().unwrap()), [3, 2, 1, 0]);
    let held_by = serde_json::json!([
        {"hold": of_person, "reason": "case 7", "rows": 1},
        {"hold": of_rows, "reason": "audit", "rows": 2},
    ]);
    assert_eq!(residual["held_by"], held_by);
    let approval = &scene.logged("policy_approved")[0];
    assert_eq!((&made["approved"]["by"], &made["approved"]["line"]), (&approval["who"], &approval["seq"]));
    assert_eq!(made["policy_hash"], approval["detail"]["policy_hash"]);
    let told = scene.privacy(&["certificate", "latest"]).succeeds();
    told.says("6 rows of the database app were deleted or changed")
        .says("A search at the end found 3 rows that still match: 2 are held, 1 is kept because other rows refer to them.")
        .says("no backup that Caretaker knows of had been begun before");
}

#[rstest]
fn it_is_made_from_what_was_written_down_and_not_from_what_is_true_now(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
) {
    let scene = commented(kind);
    scene.policy(&format!("{}{PEOPLE}", rule("note", "action = 'delete'")));
    scene.apply().succeeds();
    let text = || scene.privacy(&["certificate", "latest", "--policy", "school"]).succeeds().stdout;
    let before = text();
    scene.sql("DELETE FROM comment; DELETE FROM note");
    scene.policy(&format!("approval = false\n{}{PEOPLE}", rule("note", "action = 'delete'\nreason = 'another'")));
    scene.privacy(&["hold", "add", "school", "--subject", "p3", "--reason", "too late"]).succeeds();
    let lines =
        |text: &str| text.lines().filter(|line| !line.contains("compared with")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&text()), lines(&before));
}

#[test]
fn a_run_is_named_by_its_id_or_enough_of_one_end_of_it() {
    let scene = commented(Kind::Sqlite);
    scene.policy(&rule("note", "action = 'delete'"));
    scene.privacy(&["certificate", "latest"]).exits(2).complains("no run of the policy school did anything yet");
    let run =
        scene.privacy(&["apply", "school", "--yes", "--format", "json"]).json()["run_id"].as_str().unwrap().to_owned();
    for name in [&run[..], &run[run.len() - 6..], &run[..30]] {
        assert_eq!(certificate(&scene, name)["id"], run.as_str(), "{name}");
    }
    scene.apply().succeeds();
    assert_ne!(certificate(&scene, "latest")["id"], run.as_str());
    scene.privacy(&["certificate", &run[..4]]).exits(2).complains("is more than one");
    scene.privacy(&["certificate", "0000000"]).exits(2).complains("there is no run of a policy and no erasure");
    scene.privacy(&["certificate", "latest", "--html", "--format", "json"]).exits(2);
}

#[rstest]
fn that_of_an_erasure_is_the_ledgers_and_a_changed_one_is_told(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = school(kind, Key::Integer);
    scene.policy(&people::policy(Key::Integer));
    let id = Key::Integer.of(3);
    let erased =
        scene.privacy(&["erase", "school", "--subject", &id, "--reason", "ticket 12", "--yes", "--format", "json"]);
    let erasure = erased.succeeds().json();
    let made = certificate(&scene, &erasure["id"].as_str().unwrap()[24..]);
    assert_eq!((&made["of"], &made["reason"]), (&"erasure".into(), &"ticket 12".into()));
    assert_eq!(made["references"], erasure["certificate"]["references"]);
    let rows = made["references"].as_array().unwrap().iter().map(|one| one["rows"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(rows, 31);
    let kinds: Vec<&str> =
        made["log"]["lines"].as_array().unwrap().iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["policy_approved", "erasure_requested", "erasure_completed"]);
    let told = scene.privacy(&["certificate", erasure["id"].as_str().unwrap()]).succeeds();
    told.says("one person was erased from the database app: 31 rows").says("afterwards found nothing of that person");
    scene.sandbox.state_sql("UPDATE erasures SET certificate = replace(certificate, '\"rows\":6', '\"rows\":5')");
    let told = scene.privacy(&["certificate", erasure["id"].as_str().unwrap()]).exits(5);
    told.says("The records that this rests on do not verify").says("what the ledger says of it is not what line");
}

#[test]
fn an_erasure_that_waits_has_none_yet_and_later_says_what_it_waited_for() {
    let scene = school(Kind::Sqlite, Key::Integer);
    scene.policy(&people::policy(Key::Integer));
    let id = Key::Integer.of(3);
    let hold = ["hold", "add", "school", "--subject", &id, "--reason", "case 7", "--format", "json"];
    let hold = scene.privacy(&hold).json()["id"].as_str().unwrap().to_owned();
    people::erase(&scene, &id).exits(3);
    let waiting = scene.privacy(&["erasures", "--format", "json"]).json()[0]["id"].as_str().unwrap().to_owned();
    scene.privacy(&["certificate", &waiting]).exits(1).complains("has no certificate yet, it is deferred: held by");
    scene.privacy(&["hold", "release", &hold]).succeeds();
    let made = certificate(&scene, &waiting);
    assert_eq!(made["deferred"][0]["holds"], serde_json::json!([hold]));
    scene.privacy(&["certificate", &waiting]).says(&format!("held by {hold}"));
    scene.privacy(&["certificate", &waiting, "--html"]).says(&format!("<code>{hold}</code>"));
}

#[test]
fn it_names_the_lines_it_rests_on_and_says_when_the_log_does_not_verify() {
    let scene = commented(Kind::Sqlite);
    scene.policy(&rule("note", "action = 'delete'"));
    scene.apply().succeeds();
    let made = certificate(&scene, "latest");
    let lines: Vec<(u64, String)> = made["log"]["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["seq"].as_u64().unwrap(), line["hash"].as_str().unwrap().to_owned()))
        .collect();
    let log = scene.privacy(&["log", "--format", "json"]).succeeds().stdout;
    let all: Vec<(u64, String)> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (line["seq"].as_u64().unwrap(), line["hash"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(lines, all);
    assert_eq!(made["log"]["verifies"], true);
    scene.sandbox.state_sql(
        "DROP TRIGGER disposition_log_is_not_edited;
         UPDATE disposition_log SET detail = replace(detail, '\"done\":9', '\"done\":8')",
    );
    let told = scene.privacy(&["certificate", "latest"]).exits(5);
    told.says("The records that this rests on do not verify")
        .says("it was changed: its hash is another")
        .says("8 rows");
}

#[test]
fn a_run_that_was_killed_has_one_of_what_it_had_begun_and_the_next_counts_all() {
    let scene = Scene::new(Kind::Postgres, &notes("note", 3000));
    scene.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.002); RETURN OLD; END$$;
         CREATE TRIGGER slow BEFORE DELETE ON note FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    scene.policy(&format!("batch = {{ target = '20ms' }}\n{}", rule("note", "action = 'delete'")));
    scene.plan();
    let mut applying = scene.applying().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let done =
        || scene.sandbox.state_sql("SELECT coalesce(max(done), 0) FROM dispositions").trim().parse::<u64>().unwrap();
    eventually("rows go", patient(), || (done() > 100).then_some(()));
    applying.kill().unwrap();
    applying.wait().unwrap();
    eventually("the server has noticed", patient(), || {
        let ours = "pg_stat_activity WHERE application_name = 'caretaker privacy' AND datname = current_database()";
        (scene.count(ours) == 0).then_some(())
    });
    let gone = done();
    let cut_off = certificate(&scene, "latest");
    assert_eq!((&cut_off["outcome"], &cut_off["rules"][0]["done"]), (&"cut_off".into(), &gone.into()));
    assert!(cut_off["ended"].is_null());
    let killed = cut_off["id"].as_str().unwrap();
    scene.apply().succeeds();
    let whole = certificate(&scene, "latest");
    assert_eq!((&whole["outcome"], &whole["rules"][0]["planned"]), (&"completed".into(), &1000.into()));
    // What the transaction has done that was under way is gone as well, and was not counted.
    assert!((900..=1000).contains(&whole["rules"][0]["done"].as_u64().unwrap()), "{whole}");
    assert_eq!(certificate(&scene, killed)["rules"][0]["gone_on_with_by"], whole["id"]);
    scene.privacy(&["certificate", killed]).says("It was cut off before");
}

#[rstest]
fn a_rule_that_was_refused_or_failed_stands_in_it(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let scene = commented(kind);
    scene.policy(&format!(
        "caps = {{ max_rows = 5 }}\n{}[[privacy.school.rules]]\nname = 'others'\ntable = 'note'\nage_column = 'made'\n\
         older_than = '90 days'\nwhere = 'id = 27'\naction = 'delete'\n",
        rule("note", "action = 'delete'")
    ));
    scene.apply().exits(3);
    let made = certificate(&scene, "latest");
    assert_eq!((&made["outcome"], &made["rules"][0]["refused"]), (&"partial".into(), &true.into()));
    assert_eq!((&made["rules"][0]["done"], &made["rules"][1]["done"]), (&0.into(), &1.into()));
    scene
        .privacy(&["certificate", "latest"])
        .says("Not all of it was done. old note: 9 rows are more than `max_rows` (5)");
}

#[test]
fn the_page_needs_nothing_else_and_text_in_it_is_text() {
    let scene = commented(Kind::Sqlite);
    scene.policy(&rule("note", "action = 'delete'\nreason = '<script>alert(1)</script> & \"more\"'"));
    scene.apply().succeeds();
    let file = scene.sandbox.path("certificate.html");
    let written = ["certificate", "latest", "--html", "--output", file.to_str().unwrap()];
    scene.privacy(&written).succeeds().says("written to");
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.starts_with("<!doctype html>"));
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script"), "{page}");
    for wanted in
        ["name=\"viewport\"", "prefers-color-scheme: dark", "@media print", "<h1>Certificate of disposition</h1>"]
    {
        assert!(page.contains(wanted), "{wanted}");
    }
    for other in ["http://", "https://", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(other), "{other}");
    }
    // A plain statement before any table.
    let statement = page.find("9 rows of the database app were deleted or changed").unwrap();
    assert!(statement < page.find("<h2>").unwrap());
    for claim in ["GDPR", "FERPA", "compliant"] {
        assert!(!page.contains(claim));
    }
    scene.privacy(&written).exits(3).complains("exists already");
}
