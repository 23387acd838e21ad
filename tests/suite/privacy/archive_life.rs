//! What becomes of archives: they are listed, named by erasures, and gone when their time is over.

use std::fs;

use rstest::rstest;

use super::archiving::Archiving;
use super::scene::{Kind, Scene, days_ago, notes, rule};
use crate::support::{S3, eventually, patient, stock};

#[test]
fn an_expired_archive_goes_with_the_policys_next_run_or_the_prune_unless_a_hold_may_need_it() {
    let it = Archiving::new(Kind::Sqlite, &notes("note", 30));
    it.policy(&it.rule("note", ", expire_after = '1 second'", ""));
    let age = || it.scene.sql(&format!("UPDATE note SET made = '{}' WHERE id <= 2", days_ago(200)));
    it.scene.apply().succeeds();
    let past = || {
        let at: jiff::Timestamp = it.manifests()[0]["expires"].as_str().unwrap().parse().unwrap();
        eventually("it expires", patient(), || (jiff::Timestamp::now() > at).then_some(()));
    };
    past();
    let hold = ["hold", "add", "school", "--table", "note", "--where", "id = 1", "--reason", "audit"];
    it.scene.privacy(&hold).succeeds();
    it.scene.apply().succeeds().says("1 archive has expired and stay");
    assert_eq!(it.manifests().len(), 1);
    let id = it.scene.privacy(&["hold", "list", "--format", "json"]).json()[0]["id"].as_str().unwrap().to_owned();
    it.scene.privacy(&["hold", "release", &id]).succeeds();
    age();
    // The run writes one and removes the one before.
    it.scene.apply().succeeds();
    assert_eq!(it.manifests().len(), 1);
    assert_eq!(it.ids(), [1, 2]);
    past();
    it.scene.sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds().says("1 archive of rows deleted");
    assert!(it.objects("rows.jsonl.zst.age").is_empty() && it.manifests().is_empty());
    assert_eq!(it.scene.logged("archives_removed").len(), 2);
    it.scene.privacy(&["archives", "school"]).succeeds().says("no archives");
}

#[rstest]
fn an_erasure_names_the_archives_that_may_hold_the_person(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let it = Archiving::new(
        kind,
        &format!(
            "CREATE TABLE person (id text PRIMARY KEY); INSERT INTO person VALUES ('p1'), ('p6'); {}",
            notes("note", 30)
        ),
    );
    let subject = "[privacy.school.subject]\ntable = 'person'\nkey = 'id'\ntombstone = 'nobody'\n\
        [[privacy.school.subject.references]]\ntable = 'note'\ncolumn = 'who'\nset = { who = 'tombstone' }\n";
    it.policy(&format!("{}{subject}", it.rule("note", ", expire_after = '7 years'", "")));
    it.scene.apply().succeeds();
    it.scene
        .privacy(&["erase", "school", "--subject", "p1", "--yes"])
        .succeeds()
        .says("1 archives of note in store local");
    let erasures = it.scene.privacy(&["erasures", "school", "--format", "json"]).json();
    let left = &erasures[0]["certificate"]["remains"]["archives"][0];
    assert_eq!((&left["rows"], &left["last_expires"]), (&10.into(), &it.manifests()[0]["expires"]));
}

#[test]
fn a_bucket_takes_archives_and_gives_them_back() {
    let it = Archiving::new(Kind::Postgres, &notes("note", 300));
    // Without a key rows are found by their pages.
    it.scene.sql("ALTER TABLE note DROP CONSTRAINT note_pkey");
    let bucket = S3::shared().bucket();
    let table = bucket.store("bucket", &bucket.s3.credentials_file(&it.scene.sandbox.path("")));
    let rule = it.rule("note", ", expire_after = '1 second'", "").replace("store = 'local'", "store = 'bucket'");
    it.scene.configure(&table, &format!("stores = ['local']\n{rule}"));
    it.scene.apply().succeeds().says("old note: 100 rows");
    let key = bucket.keys().into_iter().find(|key| key.ends_with("rows.jsonl.zst.age")).unwrap();
    let copy = it.scene.sandbox.path("copy.age");
    fs::write(&copy, bucket.get(&key)).unwrap();
    let read = stock::shell(r#"age -d -i "$1" "$2" | zstd -dcq | wc -l"#, &[&it.key, &copy]).succeeds().stdout;
    assert_eq!(read.trim(), "100");
    eventually("it expires", patient(), || {
        it.scene.apply().succeeds();
        bucket.keys().is_empty().then_some(())
    });
    // While it cannot be reached no row goes.
    it.scene.sql(&format!("UPDATE note SET made = '{}' WHERE id = 1", days_ago(100)));
    it.scene.configure(&table.replace(&bucket.name, "there-is-none"), &format!("stores = ['local']\n{rule}"));
    it.scene.apply().exits(1).complains("store bucket");
    assert_eq!(it.scene.count("note"), 200);
}

#[test]
fn backups_are_verified_and_pruned_beside_archives() {
    let it = Archiving::new(Kind::Sqlite, &notes("note", 30));
    let backup = format!(
        "[backup.nightly]\ndatabase = 'app'\nstores = ['local']\nretention = '7 days'\nencrypt_to = ['{}']\n",
        it.public
    );
    // Whoever may read the backups may read the archives.
    it.scene.configure(&backup, &rule("note", "action = { archive = { store = 'local' } }"));
    it.scene.apply().succeeds();
    it.scene.sandbox.caretaker(&["job", "run", "backup.nightly"]).succeeds();
    it.scene.sandbox.caretaker(&["backup", "prune", "--apply", "--yes"]).succeeds();
    let backup = it.scene.sandbox.backups("app").remove(0);
    it.scene.sandbox.caretaker(&["backup", "verify", backup.file_name().unwrap().to_str().unwrap()]).succeeds();
    assert_eq!(it.ids().len(), 10);
}

#[test]
fn archives_in_clear_or_to_nowhere_are_no_configuration() {
    let scene = Scene::new(Kind::Sqlite, &notes("note", 30));
    scene.policy(&rule("note", "action = { archive = { store = 'local' } }"));
    scene.apply().exits(2).complains("no backup of `app` has `encrypt_to`");
    scene.policy(&rule("note", "action = { archive = { store = 'nowhere' } }"));
    scene.apply().exits(2).complains("unknown store `nowhere`");
    assert_eq!(scene.count("note"), 30);
}
