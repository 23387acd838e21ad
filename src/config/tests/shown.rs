//! What is doubtful, and what is shown.

use super::*;

#[test]
fn doubtful_settings_are_warned_about() {
    let text = r#"[daemon]
state_dir = "/var/lib/caretaker"
[databases.app]
url = "postgres://app:hunter2@db.example.net/app?statement_cache_size=0"
[databases.idle]
url = "postgres://app@localhost/idle"
[stores.inside]
kind = "local"
path = "/var/lib/caretaker/backups"
[stores.cold]
kind = "s3"
bucket = "b"
endpoint = "http://s3.example.net"
storage_class = "DEEP_ARCHIVE"
[backup.nightly]
database = "app"
stores = ["inside", "cold"]
"#;
    assert_snapshot!(said(&load_one(text)).join("\n"), @r##"
    warning: caretaker.toml:4:7: Caretaker does not know the URL's `statement_cache_size`, and ignores it
    warning: caretaker.toml:4:7: there is a password in this URL
    warning: caretaker.toml:4:7: with sslmode=prefer the server's identity is not checked
    warning: caretaker.toml:13:12: backups travel to this store without TLS
    warning: caretaker.toml:14:17: objects of class DEEP_ARCHIVE cannot be read at once, so backups there cannot be verified
    warning: caretaker.toml:15:1: backup.nightly has no `retention`, so it keeps all backups for ever
    warning: no job backs up the database `idle`
    warning: the store `inside` is inside the state directory
    "##);
}

#[test]
fn secrets_are_never_shown() {
    let text = r#"
[databases.a]
url = "postgres://u:hunter2@h/db?sslmode=verify-full"
[databases.b]
url = "postgres://h/db?user=u&password=hunter2&nonsense=1"
[databases.c]
url_env = "C"
[databases.d]
url = "postgres://u:hunter2@h:port/db"
shedule = 1
"#;
    let good = text.split("[databases.d]").next().unwrap();
    let variables = [("C", "postgres://u:hunter2@h/db"), ("CARETAKER__DATABASES__A__CREDENTIAL", "x")];
    let loaded = load_all(&[("caretaker.toml", good)], &variables[..1]).unwrap();
    let bad = load_all(&[("caretaker.toml", text)], &variables).unwrap_err();
    let warnings = loaded.warnings.iter().chain(&bad);
    let spoken: String = warnings.map(|d| format!("{d}\n{}\n{}\n{d:?}", d.render(true), d.to_json())).collect();
    let shown = format!("{spoken}{loaded:?}{}{}", loaded.show().to_toml(), loaded.show().to_json());
    assert!(shown.contains("[redacted]") && bad.len() >= 4);
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_is_shown_can_be_loaded_again() {
    for text in
        [include_str!("../../../config/caretaker.toml"), include_str!("../../../config/examples/encrypted.toml")]
    {
        let first = load_one(text).unwrap();
        let again = load_one(&first.show().to_toml()).unwrap();
        let values = |loaded: &Loaded| {
            loaded.show().settings().iter().map(|s| (s.path.clone(), s.value.clone())).collect::<Vec<_>>()
        };
        assert_eq!(values(&first), values(&again));
    }
}

#[test]
fn a_diagnostic_for_programs_says_the_same() {
    let found = job("retries = \"2\"").unwrap_err();
    assert_eq!(
        found[0].to_json(),
        serde_json::json!({
            "severity": "error", "message": "expected a whole number, found a string", "file": "caretaker.toml",
            "line": 5, "column": 11, "snippet": "retries = \"2\"", "help": "write it without quotes",
        })
    );
}
