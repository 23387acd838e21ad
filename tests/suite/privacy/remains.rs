//! What remains in backups, and that certificates say when it went.

use rstest::rstest;
use serde_json::Value;

use super::certificate::{certificate, commented};
use super::people::{self, Key, school};
use super::scene::{Kind, days_ago, rule};

fn nightly(keep: &str) -> String {
    format!(
        "[backup.nightly]\ndatabase = 'app'\nstores = ['local']\nschedule = '0 2 * * *'\nretention = {{ {keep} }}\n"
    )
}

#[rstest]
fn what_remained_in_backups_is_amended_once_when_the_last_of_them_went(
    #[values(Kind::Postgres, Kind::Sqlite)] kind: Kind,
) {
    let scene = school(kind, Key::Integer);
    scene.sql(&format!(
        "ALTER TABLE comments ADD COLUMN made timestamptz; UPDATE comments SET made = '{}' WHERE id <= 5",
        days_ago(100)
    ));
    let policy = format!("{}{}", rule("comments", "action = 'delete'"), people::policy(Key::Integer));
    scene.configure(&nightly("keep_last = 2"), &policy);
    let backup = || scene.sandbox.run_nightly().file_name().unwrap().to_str().unwrap().to_owned();
    let (first, _second) = (backup(), backup());
    scene.sandbox.caretaker(&["backup", "pin", &first]).succeeds();
    scene.apply().succeeds();
    let erased = scene.privacy(&["erase", "school", "--subject", &Key::Integer.of(3), "--yes", "--format", "json"]);
    let erasure = erased.succeeds().json()["id"].as_str().unwrap().to_owned();
    let both = || [certificate(&scene, "latest"), certificate(&scene, &erasure)];
    for made in both() {
        let left = &made["remains"]["backups"][0];
        assert_eq!((&left["count"], &left["pinned"][0]), (&2.into(), &first.as_str().into()), "{made}");
        assert!(left["last_expires_not_before"].is_string() && made["copies_gone"].is_null(), "{made}");
    }
    scene
        .privacy(&["certificate", "latest"])
        .says("2 backups that were begun before still held it: the last does not expire before")
        .says("1 is pinned");
    // Two more push the second out; the first is pinned.
    backup();
    backup();
    scene.apply().succeeds();
    assert_eq!(scene.logged("copies_gone").len(), 0);
    scene.sandbox.caretaker(&["backup", "unpin", &first]).succeeds();
    backup();
    let gone = scene.logged("copies_gone");
    assert_eq!(gone.len(), 1, "{gone:?}");
    assert_eq!(gone[0]["detail"]["erasures"], serde_json::json!([erasure]));
    // The second run did nothing.
    let run = scene.logged("disposition_started")[0]["run"].as_str().unwrap().to_owned();
    for of in [&run, &erasure] {
        let made = certificate(&scene, of);
        assert_eq!(made["copies_gone"], gone[0]["at"], "{made}");
        assert_eq!(made["remains"]["backups"][0]["count"], 2, "what was written down stays");
    }
    scene.privacy(&["certificate", &erasure]).says("The last backup that held it is gone from all stores");
    backup();
    scene.sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds();
    scene.apply().succeeds();
    assert_eq!(scene.logged("copies_gone").len(), 1);
    scene.privacy(&["verify-log"]).succeeds();
}

#[test]
fn a_backup_by_hand_is_waited_for_as_well() {
    let scene = commented(Kind::Sqlite);
    scene.configure(&nightly("keep_last = 1"), &rule("note", "action = 'delete'"));
    let id = scene.sandbox.caretaker(&["backup", "now", "app", "--format", "json"]).json()["summary"]["backup"]
        .as_str()
        .unwrap()
        .to_owned();
    scene.apply().succeeds();
    let left = &certificate(&scene, "latest")["remains"]["backups"][0];
    assert_eq!((&left["job"], &left["last_expires_not_before"]), (&Value::Null, &Value::Null));
    scene.privacy(&["certificate", "latest"]).says("a person must delete them, nothing else does");
    scene.sandbox.run_nightly();
    assert_eq!(scene.logged("copies_gone").len(), 0);
    // Somebody removes it, and the catalogue hears of it.
    scene.sandbox.state_sql(&format!(
        "DELETE FROM backup_copies WHERE backup_id = '{id}'; DELETE FROM backups WHERE id = '{id}'"
    ));
    scene.apply().succeeds();
    assert_eq!(scene.logged("copies_gone").len(), 1);
}

#[test]
fn where_a_job_has_a_max_age_backups_by_hand_expire_as_well() {
    let scene = commented(Kind::Sqlite);
    scene.configure(&nightly("keep_last = 2, max_age = '10 days'"), &rule("note", "action = 'delete'"));
    scene.sandbox.caretaker(&["backup", "now", "app"]).succeeds();
    scene.apply().succeeds();
    let left = &certificate(&scene, "latest")["remains"]["backups"][0];
    assert_eq!((&left["job"], &left["count"]), (&Value::Null, &1.into()));
    let last: jiff::Timestamp = left["last_expires_not_before"].as_str().unwrap().parse().unwrap();
    let days = last.duration_since(jiff::Timestamp::now()).as_hours() / 24;
    assert!((9..=10).contains(&days), "{left}");
}
