//! Compression and encryption, undone by stock tools.

use std::process::Command;

use rstest::rstest;

use crate::support::{Postgres, Sandbox, nightly, patient, run, stock};

#[rstest]
#[case("zstd:19", "data.dump.zst")]
#[case("gzip:6", "data.dump.gz")]
#[case("none", "data.dump")]
fn the_dump_is_read_by_the_tool_its_name_asks_for(#[case] compression: &str, #[case] object: &str) {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    database.fill("t", 2000);
    let more = format!("compression = '{compression}'");
    sandbox.configure(&nightly("app", &database.url(), &["local"], &more));
    let folder = sandbox.run_nightly();
    assert!(stock::list_dump(&folder.join(object)).contains("TABLE DATA public t "));
    sandbox.caretaker(&["backup", "verify", "latest"]).succeeds().says("good");
}

/// A pair of keys: the identity file and the public key.
pub fn key_pair(sandbox: &Sandbox, name: &str) -> (std::path::PathBuf, String) {
    let file = sandbox.path(name);
    run(Command::new("age-keygen").arg("-o").arg(&file), b"", patient()).succeeds();
    let public = run(Command::new("age-keygen").arg("-y").arg(&file), b"", patient()).succeeds().stdout;
    (file, public.trim().to_owned())
}

#[test]
fn age_opens_what_is_encrypted_and_only_with_the_key() {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    database.fill("t", 2000);
    let ((key, public), (stranger, _)) = (key_pair(&sandbox, "key"), key_pair(&sandbox, "stranger"));
    sandbox.configure(&nightly("app", &database.url(), &["local"], &format!("encrypt_to = ['{public}']")));
    let folder = sandbox.run_nightly();

    for name in ["data.dump.zst.age", "globals.sql.zst.age"] {
        let script = r#"age -d -i "$1" "$2" | zstd -dcq | sha256sum"#;
        let said = stock::shell(script, &[&key, &folder.join(name)]).succeeds().stdout;
        let manifest = Sandbox::manifest(&folder);
        let object = manifest["objects"].as_array().unwrap().iter().find(|object| object["name"] == name).unwrap();
        assert_eq!(said.split_whitespace().next(), object["plain_sha256"].as_str());
    }
    assert_eq!(Sandbox::manifest(&folder)["encrypted_to"], serde_json::json!([public]));
    let refused = stock::shell(r#"age -d -i "$1" "$2" >/dev/null"#, &[&stranger, &folder.join("data.dump.zst.age")]);
    assert_ne!(refused.code(), 0);
}
