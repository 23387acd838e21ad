//! `backup now`, and what the catalogue tells.

use crate::support::{Postgres, Sandbox, files, nightly, sqlite_url, stock};

fn notes(sandbox: &Sandbox) -> String {
    sqlite_url(&sandbox.sqlite("notes.db", 50))
}

#[test]
fn a_database_without_a_job_is_backed_up_by_hand_into_every_store() {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!("[databases.notes]\nurl = '{}'\n", notes(&sandbox)));
    sandbox.caretaker(&["backup", "now", "notes"]).succeeds().says("50 rows").says("stored in local");
    let manifest = Sandbox::manifest(&sandbox.backups("notes")[0]);
    assert_eq!((manifest["purpose"].as_str(), manifest.get("job")), (Some("manual"), None));
    let listed = &sandbox.listed()[0];
    assert_eq!((&listed["manual"], &listed["job"]), (&true.into(), &serde_json::Value::Null));
}

#[test]
fn a_backup_into_a_folder_is_whole_and_stays_out_of_stores_and_catalogue() {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    database.fill("t", 100);
    // No store at all is needed.
    sandbox.configure_exactly(&format!(
        "[daemon]\nstate_dir = '{}'\n[databases.app]\nurl = '{}'\n",
        sandbox.state().display(),
        database.url()
    ));
    let out = sandbox.path("out");
    sandbox.caretaker(&["backup", "now", "app", "--output", out.to_str().unwrap()]).succeeds().says("written to");
    let found = files(&out);
    let dump = found.iter().find(|path| path.ends_with("data.dump.zst")).unwrap();
    assert!(stock::list_dump(dump).contains("TABLE DATA public t "));
    assert!(found.iter().any(|path| path.ends_with("manifest.json")));
    assert!(sandbox.listed().is_empty());
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    sandbox.configure(&nightly("app", &database.url(), &["local"], "compression = 'gzip:6'"));
    let out = sandbox.path("out");
    for command in [&["job", "run", "nightly"][..], &["backup", "now", "app"]] {
        let command = [command, &["--dry-run"]].concat();
        sandbox.caretaker(&command).succeeds().says("would back up app").says("data.dump.gz to local");
        assert_eq!(sandbox.json(&command)["stores"], serde_json::json!(["local"]));
    }
    let into = ["backup", "now", "app", "--dry-run", "--output", out.to_str().unwrap()];
    sandbox.caretaker(&into).succeeds().says(out.to_str().unwrap());
    assert!(!out.exists());
    assert_eq!(files(&sandbox.path("store")), files(&sandbox.state()));
}

#[test]
fn a_failed_backup_into_a_folder_leaves_nothing_there() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("broken.db"), "no database at all, really").unwrap();
    sandbox.configure(&format!("[databases.notes]\nurl = '{}'\n", sqlite_url(&sandbox.path("broken.db"))));
    let out = sandbox.path("out");
    sandbox.caretaker(&["backup", "now", "notes", "--output", out.to_str().unwrap()]).exits(1);
    assert!(files(&out).is_empty());
}

#[test]
fn an_unknown_database_is_a_usage_error_with_a_suggestion() {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!("[databases.notes]\nurl = '{}'\n", notes(&sandbox)));
    sandbox.caretaker(&["backup", "now", "note"]).exits(2).complains("did you mean `notes`?");
}

#[test]
fn list_and_show_tell_programs_what_they_tell_people() {
    let sandbox = Sandbox::new();
    sandbox.configure(&nightly("notes", &notes(&sandbox), &["local"], ""));
    let folder = sandbox.run_nightly();
    let id = folder.file_name().unwrap().to_str().unwrap();
    let (listed, manifest) = (sandbox.listed(), Sandbox::manifest(&folder));
    let expected = serde_json::json!({
        "id": id, "database": "notes", "job": "backup.nightly", "manual": false, "state": "complete",
        "plain_bytes": manifest["objects"][0]["plain_bytes"], "stored_bytes": manifest["objects"][0]["bytes"],
        "snapshot_at": manifest["snapshot_at"], "pinned_at": null, "verified": null, "verified_at": null,
        "copies": [{"store": "local", "state": "complete", "error": null}],
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&listed[0][key], value, "{key}");
    }
    // Any end of the id will do.
    let shown = sandbox.json(&["backup", "show", &id[id.len() - 6..]]);
    assert_eq!(shown["manifest"], manifest);
    assert_eq!(shown["id"], listed[0]["id"]);
    let said = sandbox.caretaker(&["backup", "list"]).succeeds().says(id).says("complete").says("never");
    assert!(said.stdout.lines().count() <= 4, "{}", said.stdout);
    sandbox.caretaker(&["backup", "show", "nonsense"]).exits(2).complains("backup list");

    sandbox.caretaker(&["backup", "verify", "latest"]).succeeds();
    assert_eq!(sandbox.listed()[0]["verified"], "good");
}
