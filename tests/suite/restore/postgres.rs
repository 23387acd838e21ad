//! `restore --into postgres://…`

use std::fs;

use crate::support::{Database, Postgres, Sandbox, Tools, flip, nightly, unique};

/// A backup of a database with a table `t` of 500 rows.
fn backed_up() -> (Sandbox, Database, std::path::PathBuf) {
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    database.fill("t", 500);
    sandbox.configure(&nightly("app", &database.url(), &["local"], ""));
    let folder = sandbox.run_nightly();
    (sandbox, database, folder)
}

/// Restores the latest backup into this database.
fn restore(sandbox: &Sandbox, url: &str, more: &[&str]) -> crate::support::Outcome {
    let command = ["restore", "latest", "--database", "app", "--into", url];
    sandbox.caretaker(&command.iter().chain(more).copied().collect::<Vec<_>>())
}

fn exists(database: &str) -> bool {
    let found = Postgres::shared().sql("postgres", &format!("SELECT 1 FROM pg_database WHERE datname = '{database}'"));
    found == "1\n"
}

#[test]
fn a_new_database_is_made_filled_and_compared_table_by_table() {
    let (sandbox, database, _) = backed_up();
    let new = unique("restored");
    // Without a password of its own the URL takes that of the configured database on that server.
    let url = database.server().url_as("postgres", None, &new);
    let said = restore(&sandbox, &url, &[]).succeeds().says("public.t").says("500").says("same hash");
    assert!(said.stdout.contains("the same as the backup"), "{}", said.stdout);
    assert_eq!(database.server().sql(&new, "SELECT count(*) FROM t"), "500\n");
    database.server().sql("postgres", &format!("DROP DATABASE \"{new}\""));
}

#[test]
fn an_empty_database_is_filled_once_confirmed() {
    let (sandbox, database, _) = backed_up();
    let target = database.server().database();
    restore(&sandbox, &target.url(), &[]).exits(3).complains("--yes");
    assert_eq!(target.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0\n");
    restore(&sandbox, &target.url(), &["--yes"]).succeeds().says("same hash");
    // And is not empty any more.
    restore(&sandbox, &target.url(), &["--yes"]).exits(3).complains("not empty");
    assert_eq!(target.sql("SELECT count(*) FROM t"), "500\n");
}

#[test]
fn whatever_is_in_the_target_makes_it_refuse() {
    let (sandbox, database, _) = backed_up();
    for made in
        ["CREATE VIEW v AS SELECT 1", "CREATE SCHEMA s", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"]
    {
        let target = database.server().database();
        target.sql(made);
        restore(&sandbox, &target.url(), &["--yes"]).exits(3).complains("not empty");
    }
    // The very source, too.
    restore(&sandbox, &database.url(), &["--yes"]).exits(3);
}

#[test]
fn a_dry_run_tells_the_plan_and_changes_nothing() {
    let (sandbox, database, folder) = backed_up();
    let new = unique("restored");
    let said = restore(&sandbox, &database.server().url(&new), &["--dry-run", "--format", "json"]).succeeds().json();
    let plan = &said["plan"];
    assert_eq!(plan["backup"], folder.file_name().unwrap().to_str().unwrap());
    assert_eq!((&plan["creates"], &plan["store"]), (&true.into(), &"local".into()));
    assert!(plan["tool"].as_str().unwrap().starts_with("pg_restore"));
    assert!(!exists(&new));
}

#[test]
fn rows_other_than_the_manifests_are_found() {
    let (sandbox, database, folder) = backed_up();
    let path = folder.join("manifest.json");
    let mut manifest = Sandbox::manifest(&folder);
    manifest["tables"][0]["hash"] = "0".repeat(32).into();
    fs::write(&path, manifest.to_string()).unwrap();
    let new = unique("restored");
    restore(&sandbox, &database.server().url(&new), &[]).exits(5).says("different hash").says("NOT the same");
    database.server().sql("postgres", &format!("DROP DATABASE \"{new}\""));
}

#[test]
fn a_damaged_backup_leaves_no_half_restored_database() {
    let (sandbox, database, folder) = backed_up();
    flip(&folder.join("data.dump.zst"));
    let new = unique("restored");
    restore(&sandbox, &database.server().url(&new), &[]).exits(5).complains("data.dump.zst").complains("verify");
    assert!(!exists(&new));
}

#[test]
fn a_pg_restore_that_fails_leaves_no_half_restored_database() {
    let (sandbox, database, _) = backed_up();
    let tools = Tools::new(&sandbox);
    let job = nightly("app", &database.url(), &["local"], "");
    sandbox.configure_daemon(&tools.setting(), &job);
    let new = unique("restored");
    for script in ["echo 'pg_restore: error: no more' >&2; exit 1", "head -c 1000 >/dev/null; kill -KILL $$"] {
        tools.replace("pg_restore", script);
        restore(&sandbox, &database.server().url(&new), &[]).exits(1).complains("pg_restore");
        assert!(!exists(&new));
    }
}

#[test]
fn a_target_of_the_other_kind_is_refused() {
    let (sandbox, _database, _) = backed_up();
    restore(&sandbox, "sqlite:///tmp/never.db", &["--yes"]).exits(1).complains("cannot be restored into SQLite");
    restore(&sandbox, "nonsense", &["--yes"]).exits(2).complains("postgres://");
}

#[test]
fn an_encrypted_backup_needs_its_key() {
    use crate::backup::codecs::key_pair;
    let (sandbox, database) = (Sandbox::new(), Postgres::shared().database());
    database.fill("t", 100);
    let (key, public) = key_pair(&sandbox, "key");
    sandbox.configure(&nightly("app", &database.url(), &["local"], &format!("encrypt_to = ['{public}']")));
    sandbox.run_nightly();
    let new = unique("restored");
    let url = database.server().url(&new);
    restore(&sandbox, &url, &[]).exits(1).complains("identity");
    assert!(!exists(&new));
    restore(&sandbox, &url, &["--identity", key.to_str().unwrap()]).succeeds().says("same hash");
    database.server().sql("postgres", &format!("DROP DATABASE \"{new}\""));
}

#[test]
fn a_role_that_may_not_create_databases_is_told_what_it_needs() {
    let (sandbox, database, _) = backed_up();
    let role = unique("role");
    database.sql(&format!("CREATE ROLE \"{role}\" LOGIN PASSWORD 'x'"));
    let url = database.server().url_as(&role, Some("x"), &unique("restored"));
    restore(&sandbox, &url, &[]).exits(1).complains("CREATEDB").complains("an empty database that is there already");
    database.sql(&format!("DROP ROLE \"{role}\""));
}
