//! An object that outgrows what one upload may hold.

use crate::support::{Postgres, S3, Sandbox, nightly, stock};

#[test]
fn an_object_goes_on_in_segments_that_cat_joins_and_that_verify_and_restore_read() {
    let (database, bucket, sandbox) = (Postgres::shared().database(), S3::shared().bucket(), Sandbox::new());
    // About 36 MiB, uncompressed: three parts of 5 MiB to a segment.
    database.fill("t", 120_000);
    let credentials = bucket.s3.credentials_file(&sandbox.path(""));
    let store = format!("{}part_size = '5MiB'\nmax_parts = 3\n", bucket.store("offsite", &credentials));
    let job = nightly("app", &database.url(), &["offsite"], "compression = 'none'");
    sandbox.configure(&format!("{store}{job}"));
    sandbox.caretaker(&["job", "run", "nightly"]).succeeds();

    let list = bucket.list();
    let segments: Vec<&(String, u64)> = list.iter().filter(|(key, _)| key.contains("/data.dump")).collect();
    let names: Vec<&str> = segments.iter().map(|(key, _)| key.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["data.dump", "data.dump.001", "data.dump.002"]);
    assert!(segments[..2].iter().all(|(_, bytes)| *bytes == 15 << 20), "{segments:?}");
    let mut paths = Vec::new();
    for (key, _) in segments {
        let path = sandbox.path(key.rsplit('/').next().unwrap());
        std::fs::write(&path, bucket.get(key)).unwrap();
        paths.push(path);
    }
    let paths: Vec<&std::path::Path> = paths.iter().map(|path| path.as_path()).collect();
    stock::shell(r#"cat "$@" | { pg_restore -l && cat >/dev/null; }"#, &paths).succeeds().says("TABLE DATA public t ");
    let joined = stock::shell(r#"cat "$@" | sha256sum"#, &paths).succeeds();
    let id = list[0].0.split('/').nth(1).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&bucket.get(&format!("app/{id}/manifest.json"))).unwrap();
    joined.says(manifest["objects"][0]["sha256"].as_str().unwrap());

    sandbox.caretaker(&["backup", "verify", "latest"]).succeeds().says("good");
    let target = Postgres::shared().database();
    sandbox.caretaker(&["restore", "latest", "--database", "app", "--into", &target.url(), "--yes"]).succeeds();
    assert_eq!(target.sql("SELECT count(*) FROM t"), "120000\n");

    bucket.delete(&format!("app/{id}/data.dump.001"));
    sandbox.caretaker(&["backup", "verify", "latest"]).exits(5).says("data.dump.001");
}
