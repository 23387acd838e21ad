//! `backup verify`: what is wrong with a copy, and what is not.

use std::fs;
use std::path::Path;

use rstest::rstest;

use crate::support::{Outcome, Postgres, S3, Sandbox, flip, nightly, sqlite_url};

/// A backup of a PostgreSQL database in the store `local`, and its folder.
fn backed_up(sandbox: &Sandbox, more: &str) -> std::path::PathBuf {
    let database = Postgres::shared().database();
    database.fill("t", 2000);
    sandbox.configure(&nightly("app", &database.url(), &["local"], more));
    sandbox.run_nightly()
}

fn verify(sandbox: &Sandbox) -> Outcome {
    sandbox.caretaker(&["backup", "verify", "latest"])
}

fn edit(folder: &Path, change: impl Fn(&str) -> String) {
    let path = folder.join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    let changed = change(&text);
    assert_ne!(changed, text);
    fs::write(path, changed).unwrap();
}

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
}

fn swap(folder: &Path) {
    let (data, globals) = (folder.join("data.dump.zst"), folder.join("globals.sql.zst"));
    let (a, b) = (fs::read(&data).unwrap(), fs::read(&globals).unwrap());
    fs::write(&data, b).unwrap();
    fs::write(&globals, a).unwrap();
}

#[rstest]
#[case::a_byte_of_the_dump("data.dump.zst", |folder: &Path| flip(&folder.join("data.dump.zst")))]
#[case::a_byte_of_the_roles("globals.sql.zst", |folder: &Path| flip(&folder.join("globals.sql.zst")))]
#[case::a_byte_too_few("data.dump.zst", |folder: &Path| cut(&folder.join("data.dump.zst")))]
#[case::an_object_gone("globals.sql.zst", |folder: &Path| fs::remove_file(folder.join("globals.sql.zst")).unwrap())]
#[case::objects_swapped("data.dump.zst", swap)]
#[case::the_manifest_gone("manifest.json", |folder: &Path| fs::remove_file(folder.join("manifest.json")).unwrap())]
#[case::the_manifest_cut("manifest.json", |folder: &Path| cut(&folder.join("manifest.json")))]
#[case::a_hash_edited("SHA-256", |folder: &Path| edit(folder, |text| text.replacen("\"sha256\": \"", "\"sha256\": \"0", 1)))]
#[case::a_size_edited("bytes", |folder: &Path| edit(folder, |text| text.replacen("\"bytes\": ", "\"bytes\": 1", 1)))]
#[case::another_backups_manifest("manifest", |folder: &Path| edit(folder, |text| text.replacen("\"id\": \"2", "\"id\": \"1", 1)))]
fn what_is_wrong_is_found_and_named(#[case] named: &str, #[case] harm: fn(&Path)) {
    let sandbox = Sandbox::new();
    let folder = backed_up(&sandbox, "");
    verify(&sandbox).succeeds().says("good").says("pg_restore");
    harm(&folder);
    verify(&sandbox).exits(5).says("BAD").says(named);
    // It is not what `latest` means any more, and not a good one.
    assert_eq!(sandbox.listed()[0]["verified"], "bad");
    verify(&sandbox).exits(1).complains("no complete backup");
}

#[test]
fn every_copy_is_looked_at_and_each_is_named() {
    let (bucket, sandbox) = (S3::shared().bucket(), Sandbox::new());
    let url = sqlite_url(&sandbox.sqlite("notes.db", 500));
    let store = bucket.store("offsite", &bucket.s3.credentials_file(&sandbox.path("")));
    sandbox.configure(&format!("{store}{}", nightly("notes", &url, &["local", "offsite"], "")));
    let folder = sandbox.run_nightly();
    let key = format!("notes/{}/data.db.zst", folder.file_name().unwrap().to_str().unwrap());
    let mut bytes = bucket.get(&key);
    bytes[100] ^= 1;
    bucket.put(&key, &bytes);

    sandbox.caretaker(&["backup", "verify", "latest", "--store", "local"]).succeeds().says("integrity_check");
    let said = sandbox.caretaker(&["--format", "json", "backup", "verify", "latest"]).exits(5).json();
    let problems = |at: usize| said["copies"][at]["problems"].as_array().unwrap().len();
    assert_eq!((&said["copies"][0]["store"], problems(0), problems(1)), (&"local".into(), 0, 1), "{said:#}");
    assert!(said["copies"][1]["problems"][0].as_str().unwrap().contains(&key), "{said:#}");
}

#[rstest]
fn a_store_that_cannot_be_asked_says_nothing_against_its_copy(#[values("key", "away")] fault: &str) {
    let (bucket, sandbox) = (S3::shared().bucket(), Sandbox::new());
    let url = sqlite_url(&sandbox.sqlite("notes.db", 500));
    let configure = |bucket: &crate::support::Bucket| {
        let store = bucket.store("offsite", &bucket.s3.credentials_file(&sandbox.path("")));
        let store = format!("{store}request_timeout = '2s'\n");
        sandbox.configure(&format!("{store}{}", nightly("notes", &url, &["offsite"], "")));
    };
    configure(&bucket);
    sandbox.caretaker(&["job", "run", "nightly"]).succeeds();
    let mut broken = bucket.clone();
    match fault {
        "key" => broken.s3.secret = "changed".to_owned(),
        _ => broken.s3.endpoint = "http://127.0.0.1:1".to_owned(),
    }
    configure(&broken);
    verify(&sandbox).exits(1).says("not verified");
    assert_eq!(sandbox.listed()[0]["verified"], serde_json::Value::Null);
    configure(&bucket);
    verify(&sandbox).succeeds();
}

#[test]
fn an_encrypted_backup_is_verified_as_far_as_the_key_goes() {
    use crate::backup::codecs::key_pair;
    let sandbox = Sandbox::new();
    let ((key, public), (stranger, _)) = (key_pair(&sandbox, "key"), key_pair(&sandbox, "stranger"));
    let folder = backed_up(&sandbox, &format!("encrypt_to = ['{public}']"));
    let with =
        |identity: &Path| sandbox.caretaker(&["backup", "verify", "latest", "--identity", identity.to_str().unwrap()]);
    verify(&sandbox).succeeds().says("only its stored bytes were checked");
    with(&key).succeeds().says("pg_restore");
    // A key that does not fit says nothing against the backup.
    with(&stranger).exits(1).complains("encrypted_to");
    assert_eq!(sandbox.listed()[0]["verified"], "good");

    flip(&folder.join("data.dump.zst.age"));
    with(&stranger).exits(5).says("SHA-256");
}
