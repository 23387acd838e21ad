//! Archiving that is cut off, or meets others: no row goes that is not in an archive.

use std::fs;
use std::process::Stdio;

use rstest::rstest;

use super::archiving::Archiving;
use super::scene::{Kind, notes};
use crate::faults::disk::Disk;
use crate::support::{eventually, files, patient};

/// Rows that take their time to go.
fn slow() -> Archiving {
    let it = Archiving::new(Kind::Postgres, &notes("note", 3000));
    it.scene.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.002); RETURN OLD; END$$;
         CREATE TRIGGER slow BEFORE DELETE ON note FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let subject = "[privacy.school.subject]\ntable = 'note'\nkey = 'who'\n";
    it.policy(&format!("batch = {{ target = '20ms' }}\n{}{subject}", it.rule("note", "", "")));
    it
}

#[test]
fn a_killed_run_has_lost_nothing_and_is_gone_on_with() {
    let it = slow();
    let mut applying = it.scene.applying().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("rows go", patient(), || (it.scene.count("note") < 2900).then_some(()));
    applying.kill().unwrap();
    applying.wait().unwrap();
    eventually("the server has noticed", patient(), || {
        let ours = "pg_stat_activity WHERE application_name = 'caretaker privacy' AND datname = current_database()";
        (it.scene.count(ours) == 0).then_some(())
    });
    assert!(it.scene.count("note") > 2000, "it was killed too late to show anything");
    it.scene.apply().succeeds();
    assert_eq!((it.scene.count("note"), it.scene.count("note WHERE id % 3 = 0")), (2000, 0));
    // What was still there is in the second archive as well.
    let mut ids = it.ids();
    assert!(ids.len() > 1000);
    ids.dedup();
    assert_eq!(ids, (1..=3000).filter(|id| id % 3 == 0).collect::<Vec<i64>>());
    assert_eq!((it.scene.logged("disposition_started").len(), it.scene.logged("disposition_completed").len()), (1, 1));
    it.scene.privacy(&["verify-log"]).succeeds();
}

#[test]
fn a_run_that_is_killed_while_it_writes_an_archive_has_changed_nothing() {
    let it = Archiving::new(Kind::Sqlite, &notes("note", 240));
    it.scene.sql("UPDATE note SET body = hex(randomblob(524288))");
    it.policy(&it.rule("note", "", ""));
    let mut applying = it.scene.applying().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let folder = it.scene.sandbox.store().join("_caretaker/archives");
    eventually("it writes", patient(), || (folder.exists() && !files(&folder).is_empty()).then_some(()));
    applying.kill().unwrap();
    applying.wait().unwrap();
    assert!(it.manifests().is_empty(), "it was killed too late to show anything");
    assert_eq!(it.scene.count("note"), 240);
    it.scene.apply().succeeds().says("old note: 80 rows");
    assert_eq!(it.ids(), (1..=240).filter(|id| id % 3 == 0).collect::<Vec<i64>>());
    // Nor is anything left of what was half written.
    assert_eq!(files(&folder).len(), 2 * it.manifests().len());
}

#[test]
fn what_is_changed_or_held_after_it_was_read_stays() {
    let it = slow();
    let mut applying = it.scene.applying().spawn().unwrap();
    eventually("rows go", patient(), || (it.scene.count("note") < 2900).then_some(()));
    // All is in the archive by now; no row has been seen to go that is not.
    assert_eq!(it.ids().len(), 1000);
    it.scene.sql("UPDATE note SET body = 'other' WHERE id IN (2997, 3000)");
    it.scene.privacy(&["hold", "add", "school", "--reason", "case 8", "--subject", "p6"]).succeeds();
    let held = it.scene.count("note WHERE who = 'p6' AND id % 3 = 0");
    assert!(held > 0 && it.scene.count("note WHERE id IN (2997, 3000)") == 2, "it came too late to show anything");
    assert!(applying.wait().unwrap().success());
    assert_eq!(it.scene.count("note WHERE who = 'p6' AND id % 3 = 0"), held);
    assert_eq!(it.scene.sql("SELECT id, body FROM note WHERE id % 3 = 0 AND who <> 'p6'"), "2997|other\n3000|other");
    // The next run takes them as they are now.
    it.scene.apply().succeeds().says("old note: 2 rows");
    assert_eq!(it.lines().iter().filter(|line| line.contains("\"other\"")).count(), 2);
}

#[rstest]
fn a_store_that_fails_lets_no_row_go(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let it = Archiving::new(kind, &notes("note", 30));
    it.policy(&it.rule("note", "", ""));
    // Where the archives' folder should be is a file.
    let folder = it.scene.sandbox.store().join("_caretaker");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("archives"), "in the way").unwrap();
    it.scene.apply().exits(1).complains("store local");
    assert_eq!(it.scene.count("note"), 30);
    assert_eq!(it.scene.logged("disposition_failed").len(), 1);
    fs::remove_file(folder.join("archives")).unwrap();
    // What a writer that was cut off long ago has left goes as well.
    let left = folder.join("archives/school/old-note/20200101T000000Z-aaaaaa");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("rows.jsonl.zst.age"), "half").unwrap();
    it.scene.apply().succeeds().says("old note: 10 rows");
    assert_eq!(it.ids().len(), 10);
}

#[test]
fn a_store_that_becomes_full_ends_the_rule_and_what_went_is_archived() {
    let it = Archiving::new(Kind::Sqlite, &notes("note", 240));
    // 80 old rows that compress to half a megabyte each: one archive fits, the second does not.
    it.scene.sql("UPDATE note SET body = hex(randomblob(524288))");
    let _disk = Disk::mount(it.scene.sandbox.store(), "size=38m");
    it.policy(&it.rule("note", "", ""));
    it.scene.apply().exits(1).complains("no space left");
    let left = it.scene.count("note WHERE id % 3 = 0");
    assert!(left > 0 && left < 80, "{left}");
    let ids = it.ids();
    assert_eq!((ids.len() as u64, it.manifests().len()), (80 - left, 1));
    let list = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    assert_eq!(it.scene.count(&format!("note WHERE id IN ({list})")), 0);
}

#[test]
fn a_manifest_that_cannot_be_read_is_told_and_hides_no_other() {
    let it = Archiving::new(Kind::Sqlite, &notes("note", 30));
    it.policy(&it.rule("note", "", ""));
    it.scene.apply().succeeds();
    let odd = it.scene.sandbox.store().join("_caretaker/archives/school/old-note/20260101T000000Z-bbbbbb");
    fs::create_dir_all(&odd).unwrap();
    fs::write(odd.join("manifest.json"), "{").unwrap();
    it.scene.privacy(&["archives"]).exits(6).says("old note").says("is no manifest of an archive");
    it.scene.apply().succeeds().says("is no manifest of an archive");
}

#[test]
fn an_archive_none_of_whose_rows_may_go_does_not_stay() {
    let it = Archiving::new(Kind::Postgres, &notes("note", 30));
    it.scene.sql(
        "CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
         CREATE TRIGGER never BEFORE DELETE ON note FOR EACH ROW EXECUTE FUNCTION never()",
    );
    it.policy(&it.rule("note", "", ""));
    it.scene.apply().succeeds().says("10 rows match all the same");
    assert_eq!((it.scene.count("note"), it.objects("rows.jsonl.zst.age").len()), (30, 0));
    assert_eq!(it.scene.logged("archives_removed")[0]["detail"]["why"], "none of its rows went");
}
