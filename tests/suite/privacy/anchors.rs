//! Anchors: where the log stood is known in the stores, so that what is cut off its end shows.

use std::fs;
use std::path::PathBuf;

use rstest::rstest;
use serde_json::Value;

use super::scene::{Kind, Scene, notes, rule};
use crate::backup::codecs::key_pair;
use crate::support::{Bucket, S3, Sandbox, files, sqlite_url, stock};

/// Where the anchors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Directory,
    Bucket,
}

/// A policy whose log goes to one store.
pub struct Anchored {
    pub scene: Scene,
    bucket: Option<Bucket>,
}

impl Anchored {
    pub fn new(place: Place) -> Self {
        let scene = Scene::new(Kind::Sqlite, &notes("note", 30));
        let bucket = (place == Place::Bucket).then(|| S3::shared().bucket());
        let table = bucket.as_ref().map_or_else(String::new, |bucket| {
            bucket.store("bucket", &bucket.s3.credentials_file(&scene.sandbox.path("")))
        });
        let store = if bucket.is_some() { "bucket" } else { "local" };
        scene.configure(&table, &format!("stores = ['{store}']\n{}", rule("note", "action = 'delete'")));
        Self { scene, bucket }
    }

    pub fn apply(&self) -> &Self {
        self.scene.apply().succeeds();
        self
    }

    /// The keys and bytes of all anchors, in order.
    pub fn objects(&self) -> Vec<(String, Vec<u8>)> {
        match &self.bucket {
            Some(bucket) => bucket.keys().into_iter().map(|key| (key.clone(), bucket.get(&key))).collect(),
            None => {
                let root = self.scene.sandbox.store();
                let read = |path: PathBuf| {
                    let key = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                    (key, fs::read(path).unwrap())
                };
                let mut all: Vec<_> = files(&root.join("_caretaker/log")).into_iter().map(read).collect();
                all.sort();
                all
            }
        }
    }

    pub fn log(&self) -> Vec<String> {
        self.scene.privacy(&["log", "--format", "json"]).succeeds().stdout.lines().map(str::to_owned).collect()
    }

    fn state(&self) -> PathBuf {
        self.scene.sandbox.state().join("state.db")
    }

    pub fn tamper(&self, sql: &str) {
        let open =
            "DROP TRIGGER IF EXISTS disposition_log_is_not_edited; DROP TRIGGER IF EXISTS disposition_log_is_not_cut;";
        stock::sqlite(&self.state(), &format!("{open} {sql}"));
    }
}

#[rstest]
fn each_operation_is_anchored_with_its_lines_and_nothing_that_is_there_is_replaced(
    #[values(Place::Directory, Place::Bucket)] place: Place,
) {
    let anchored = Anchored::new(place);
    let first = anchored.apply().objects();
    anchored
        .scene
        .privacy(&["hold", "add", "school", "--table", "note", "--where", "id = 1", "--reason", "x"])
        .succeeds();
    let all = anchored.objects();
    assert_eq!((first.len(), all.len()), (2, 4));
    assert_eq!(all[..2], first[..]);
    let log = anchored.log();
    let last: Value = serde_json::from_str(log.last().unwrap()).unwrap();
    let head: Value = serde_json::from_slice(&all[2].1).unwrap();
    assert_eq!(head["head"]["hash"], last["hash"]);
    assert!(all[2].0.ends_with(&format!("{:012}-{}.json", log.len(), last["hash"].as_str().unwrap())), "{}", all[2].0);
    // The lines of both are the log.
    let lines = [&all[1].1[..], &all[3].1[..]].concat();
    assert_eq!(String::from_utf8(lines).unwrap().lines().collect::<Vec<_>>(), log);
    anchored.scene.privacy(&["verify-log"]).succeeds().says("compared with 2 anchors");
    // Looking writes nothing.
    anchored.scene.privacy(&["plan", "school"]).succeeds();
    assert_eq!(anchored.objects(), all);
}

#[rstest]
fn lines_that_are_cut_off_the_end_are_found(#[values(Place::Directory, Place::Bucket)] place: Place) {
    let anchored = Anchored::new(place);
    anchored.apply().apply();
    anchored.scene.privacy(&["verify-log"]).succeeds();
    anchored.tamper("DELETE FROM disposition_log WHERE seq > 4");
    anchored.scene.privacy(&["verify-log"]).exits(5).says("the log is cut off after line 4: store");
    // Nor does it help to go on from there.
    anchored.apply();
    anchored.scene.privacy(&["verify-log"]).exits(5).says("line 7: it is not the line that store");
}

#[rstest]
fn a_state_store_that_was_put_back_or_replaced_is_found(#[values(Place::Directory, Place::Bucket)] place: Place) {
    let anchored = Anchored::new(place);
    let old = anchored.scene.sandbox.path("old.db");
    anchored.apply();
    stock::sqlite(&anchored.state(), &format!("VACUUM INTO '{}'", old.display()));
    anchored.apply();
    let remove = || {
        for name in ["state.db", "state.db-wal", "state.db-shm"] {
            let _ = fs::remove_file(anchored.scene.sandbox.state().join(name));
        }
    };
    remove();
    fs::copy(&old, anchored.state()).unwrap();
    anchored.scene.privacy(&["verify-log"]).exits(5).says("the log is cut off after line 4");
    remove();
    anchored.scene.privacy(&["verify-log"]).exits(5).says("the log is cut off after line 0");
}

#[test]
fn a_store_that_is_down_holds_nobody_up_is_said_and_is_told_later() {
    let anchored = Anchored::new(Place::Directory);
    anchored.apply();
    let (store, away) = (anchored.scene.sandbox.store(), anchored.scene.sandbox.path("away"));
    fs::rename(&store, &away).unwrap();
    fs::write(&store, "not a directory").unwrap();
    anchored.scene.apply().succeeds().complains("the disposition log is not anchored in local yet");
    let told = anchored.scene.privacy(&["verify-log", "--format", "json"]).exits(6).json();
    assert_eq!((&told["flaws"], &told["unreachable"][0]["store"]), (&serde_json::json!([]), &"local".into()));
    fs::remove_file(&store).unwrap();
    fs::rename(&away, &store).unwrap();
    anchored.apply();
    anchored.scene.privacy(&["verify-log"]).succeeds();
    // The lines that it had missed are there too.
    let objects = anchored.objects();
    let lines: Vec<&[u8]> =
        objects.iter().filter(|(key, _)| key.ends_with(".jsonl")).map(|(_, bytes)| &bytes[..]).collect();
    assert_eq!(String::from_utf8(lines.concat()).unwrap().lines().collect::<Vec<_>>(), anchored.log());
}

#[test]
fn anchors_that_are_gone_are_not_taken_for_good() {
    let anchored = Anchored::new(Place::Directory);
    anchored.apply();
    fs::remove_dir_all(anchored.scene.sandbox.store().join("_caretaker")).unwrap();
    anchored.scene.privacy(&["verify-log"]).exits(6).says("it does not hold the anchor of line 4");
}

#[test]
fn lines_are_encrypted_where_backups_are_and_heads_are_not() {
    let anchored = Anchored::new(Place::Directory);
    let (key, public) = key_pair(&anchored.scene.sandbox, "key");
    let backup = format!("[backup.nightly]\ndatabase = 'app'\nstores = ['local']\nencrypt_to = ['{public}']\n");
    anchored.scene.configure(&backup, &rule("note", "action = 'delete'"));
    let objects = anchored.apply().objects();
    assert!(objects[0].0.ends_with(".json") && objects[1].0.ends_with(".jsonl.age"), "{objects:?}");
    assert!(serde_json::from_slice::<Value>(&objects[0].1).unwrap()["head"]["seq"].is_u64());
    let sealed = anchored.scene.sandbox.store().join(&objects[1].0);
    let opened = stock::shell(r#"age -d -i "$1" "$2""#, &[&key, &sealed]).succeeds().stdout;
    assert_eq!(opened.lines().collect::<Vec<_>>(), anchored.log());
}

#[test]
fn a_manifest_knows_where_the_log_stood() {
    let scene = Scene::new(Kind::Sqlite, &notes("note", 30));
    let backup = "[backup.nightly]\ndatabase = 'app'\nstores = ['local']\nretention = 'last 1'\n";
    scene.configure(backup, &format!("stores = []\n{}", rule("note", "action = 'delete'")));
    scene.apply().succeeds();
    let manifest = Sandbox::manifest(&scene.sandbox.run_nightly());
    let log = scene.privacy(&["log", "--format", "json"]).succeeds().stdout;
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(manifest["disposition_log"], serde_json::json!({"seq": last["seq"], "hash": last["hash"]}));
    scene.privacy(&["verify-log"]).succeeds().says("compared with 1 anchors");
    scene.sandbox.state_sql("DROP TRIGGER disposition_log_is_not_cut; DELETE FROM disposition_log WHERE seq = 4");
    scene.privacy(&["verify-log"]).exits(5).says("the manifest of ");
}

#[test]
fn what_was_restored_and_pruned_stands_in_the_log() {
    let sandbox = Sandbox::new();
    let source = sandbox.sqlite("notes.db", 3);
    let url = sqlite_url(&source);
    sandbox.configure(&format!(
        "[databases.notes]\nurl = '{url}'\n[backup.nightly]\ndatabase = 'notes'\nstores = ['local']\nretention = 'last 1'\n\
         [privacy.school]\ndatabase = 'notes'\n[privacy.school.columns]\nnote = {{ '*' = 'public' }}\n"
    ));
    let first = sandbox.run_nightly();
    sandbox.run_nightly();
    let into = sqlite_url(&sandbox.path("new.db"));
    sandbox.caretaker(&["restore", "latest", "--database", "notes", "--into", &into]).succeeds();
    let log = sandbox.caretaker(&["privacy", "log", "--format", "json"]).succeeds().stdout;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["backups_pruned", "restore_started", "backup_restored"]);
    let id = first.file_name().unwrap().to_str().unwrap();
    assert_eq!((&lines[0]["detail"]["removed"], &lines[0]["detail"]["backups"][0]), (&1.into(), &id.into()));
    assert_eq!(lines[0]["detail"]["job"], "backup.nightly");
    assert_eq!((&lines[2]["database"], &lines[2]["detail"]["same"]), (&"notes".into(), &true.into()));
    assert!(lines[2]["detail"]["into"].as_str().unwrap().contains("new.db"), "{log}");
    assert_eq!(files(&sandbox.store().join("_caretaker/log")).len(), 4);
    sandbox.caretaker(&["privacy", "verify-log"]).succeeds().says("3 lines");
}
