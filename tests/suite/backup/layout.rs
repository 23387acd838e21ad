//! What stands in the stores after a PostgreSQL backup.

use std::fs;
use std::path::Path;

use crate::support::{Database, Postgres, S3, Sandbox, Tools, nightly, stock};

/// A job of a database with two tables, and the folder of its backup.
fn backed_up(sandbox: &Sandbox, database: &Database) -> std::path::PathBuf {
    database.fill("kept", 1500);
    // Roles are the server's: named like the database, this one is the test's own.
    let role = &database.name;
    database.sql(&format!("CREATE TABLE nothing (i int); CREATE ROLE \"{role}\" LOGIN PASSWORD 'open sesame'"));
    sandbox.configure(&nightly("app", &database.url(), &["local"], ""));
    let folder = sandbox.run_nightly();
    database.sql(&format!("DROP ROLE \"{role}\""));
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn is_backup_id(id: &str) -> bool {
    let pattern = "dddddddd.dddddd.-hhhhhh";
    id.len() == pattern.len()
        && id.chars().zip(pattern.chars()).enumerate().all(|(at, (c, p))| match (at, p) {
            (8, _) => c == 'T',
            (15, _) => c == 'Z',
            (_, 'd') => c.is_ascii_digit(),
            (_, 'h') => c.is_ascii_hexdigit() && !c.is_ascii_uppercase(),
            _ => c == p,
        })
}

#[test]
fn a_backup_goes_to_disk_and_bucket_at_once_and_is_the_same_in_both() {
    let (database, bucket, sandbox) = (Postgres::shared().database(), S3::shared().bucket(), Sandbox::new());
    database.fill("t", 3000);
    let store = bucket.store("offsite", &bucket.s3.credentials_file(&sandbox.path("")));
    sandbox.configure(&format!("{store}{}", nightly("app", &database.url(), &["local", "offsite"], "")));
    let folder = sandbox.run_nightly();

    let id = folder.file_name().unwrap().to_str().unwrap();
    assert!(is_backup_id(id), "{id}");
    assert_eq!(names(&folder), ["data.dump.zst", "globals.sql.zst", "manifest.json"]);
    let keys: Vec<String> = names(&folder).iter().map(|name| format!("app/{id}/{name}")).collect();
    assert_eq!(bucket.keys(), keys);
    for (key, name) in keys.iter().zip(names(&folder)) {
        assert!(bucket.get(key) == fs::read(folder.join(&name)).unwrap(), "{name} differs");
    }
    assert!(bucket.unfinished_uploads().is_empty());
}

#[test]
fn the_manifest_tells_sizes_and_hashes_as_sha256sum_does_and_rows_exactly() {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    let folder = backed_up(&sandbox, &database);
    let manifest = Sandbox::manifest(&folder);

    let objects = manifest["objects"].as_array().unwrap();
    assert_eq!(objects.len(), 2);
    for object in objects {
        let stored = folder.join(object["name"].as_str().unwrap());
        let plain = sandbox.path("plain");
        stock::decompress(&stored, &plain);
        for (path, bytes, sha256) in [(&stored, "bytes", "sha256"), (&plain, "plain_bytes", "plain_sha256")] {
            assert_eq!(object[bytes], fs::metadata(path).unwrap().len());
            assert_eq!(object[sha256], stock::sha256(path));
        }
    }
    let tables: Vec<_> = manifest["tables"].as_array().unwrap().iter().map(|t| (&t["name"], &t["rows"])).collect();
    assert_eq!(format!("{tables:?}"), "[(String(\"kept\"), Number(1500)), (String(\"nothing\"), Number(0))]");
    assert_eq!(manifest["job"], "backup.nightly");
    assert_eq!(manifest["kind"], "postgres");
    assert!(manifest["tools"]["pg_dump"].as_str().unwrap().starts_with("pg_dump (PostgreSQL) "));
}

#[test]
fn pg_restore_lists_the_dump_and_the_roles_are_there_without_passwords() {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    let folder = backed_up(&sandbox, &database);
    let listed = stock::list_dump(&folder.join("data.dump.zst"));
    assert!(listed.contains("TABLE DATA public kept postgres"), "{listed}");

    stock::decompress(&folder.join("globals.sql.zst"), &sandbox.path("globals.sql"));
    let roles = fs::read_to_string(sandbox.path("globals.sql")).unwrap();
    assert!(roles.contains(&format!("CREATE ROLE \"{}\"", database.name)), "{roles}");
    assert!(!roles.contains("SCRAM-SHA-256") && !roles.contains("sesame"), "{roles}");
}

#[test]
fn only_the_owner_can_read_what_is_stored() {
    use std::os::unix::fs::PermissionsExt;
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    sandbox.configure(&nightly("app", &database.url(), &["local"], ""));
    let folder = sandbox.run_nightly();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&folder), 0o700);
    for name in names(&folder) {
        assert_eq!(mode(&folder.join(&name)), 0o600, "{name}");
    }
}

#[test]
fn warnings_of_pg_dump_are_recorded_and_the_backup_stands() {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    database.fill("t", 10);
    let tools = Tools::new(&sandbox);
    tools.replace("pg_dump", "echo 'pg_dump: warning: the collation is odd' >&2; exec \"$real\" \"$@\"");
    sandbox.configure_daemon(&tools.setting(), &nightly("app", &database.url(), &["local"], ""));
    let folder = sandbox.run_nightly();
    let warnings = Sandbox::manifest(&folder)["warnings"].to_string();
    assert!(warnings.contains("the collation is odd"), "{warnings}");
    assert_eq!(sandbox.listed()[0]["state"], "complete");
}

#[test]
fn a_role_that_may_not_read_roles_gets_its_backup_and_is_told_what_is_missing() {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    let role = crate::support::unique("reader");
    database.fill("t", 10);
    database.sql(&format!("CREATE ROLE \"{role}\" LOGIN PASSWORD 'p' IN ROLE pg_read_all_data"));
    let tools = Tools::new(&sandbox);
    tools.replace("pg_dumpall", "echo 'pg_dumpall: error: permission denied for table pg_authid' >&2; exit 1");
    let url = database.server().url_as(&role, Some("p"), &database.name);
    sandbox.configure_daemon(&tools.setting(), &nightly("app", &url, &["local"], ""));
    let folder = sandbox.run_nightly();
    database.sql(&format!("DROP ROLE \"{role}\""));
    assert_eq!(names(&folder), ["data.dump.zst", "manifest.json"]);
    let warnings = Sandbox::manifest(&folder)["warnings"].to_string();
    assert!(warnings.contains("globals.sql") && warnings.contains("permission denied"), "{warnings}");
}

#[test]
fn what_is_written_while_the_dump_runs_is_in_it_wholly_or_not_at_all() {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    database.fill("ballast", 60_000);
    database.sql("CREATE TABLE debit (i int); CREATE TABLE credit (i int)");
    sandbox.configure(&nightly("app", &database.url(), &["local"], ""));
    let stop = std::sync::atomic::AtomicBool::new(false);
    let folder = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                database.sql("BEGIN; INSERT INTO debit VALUES (1); INSERT INTO credit VALUES (1); COMMIT");
            }
        });
        let folder = sandbox.run_nightly();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        folder
    });
    let manifest = Sandbox::manifest(&folder);
    let rows = |name: &str| {
        let table = manifest["tables"].as_array().unwrap().iter().find(|table| table["name"] == name);
        table.unwrap()["rows"].as_u64().unwrap()
    };
    assert_eq!(rows("debit"), rows("credit"));
    // The proof is of the dump's own bytes: it holds although the database has gone on.
    let into = database.server().url(&crate::support::unique("restored"));
    sandbox.caretaker(&["restore", "latest", "--database", "app", "--into", &into]).succeeds();
    let restored = into.rsplit('/').next().unwrap().replace("%2D", "-");
    database.sql(&format!("DROP DATABASE \"{restored}\""));
}
