//! How Caretaker gets in, and who gets to see the password.

use std::fs;
use std::time::Duration;

use crate::support::{Database, Postgres, Sandbox, Tools, nightly, unique, until};

/// A role of a test's own, dropped with the value.
struct Role<'a> {
    database: &'a Database,
    name: String,
}

impl<'a> Role<'a> {
    fn new(database: &'a Database, password: &str) -> Self {
        let name = unique("role");
        database.sql(&format!("CREATE ROLE \"{name}\" LOGIN PASSWORD '{password}' IN ROLE pg_read_all_data"));
        Self { database, name }
    }

    fn url(&self) -> String {
        self.database.server().url_as(&self.name, None, &self.database.name)
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.database.sql(&format!("DROP ROLE \"{}\"", self.name));
        }
    }
}

fn with_password_file(sandbox: &Sandbox, url: &str, more: &str) -> String {
    let file = sandbox.path("password");
    nightly("app", url, &["local"], more)
        .replace("\n\n[backup", &format!("\npassword_file = '{}'\n\n[backup", file.display()))
}

#[test]
fn a_unix_socket_needs_no_password() {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    sandbox.configure(&nightly("app", &database.socket_url(), &["local"], ""));
    sandbox.run_nightly();
}

#[test]
fn the_password_stands_in_pgpass() {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    let role = Role::new(&database, "from: pgpass");
    sandbox.configure(&nightly("app", &role.url(), &["local"], ""));
    sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains(".pgpass");
    sandbox.secret("home/.pgpass", &format!("127.0.0.1:*:*:{}:from\\: pgpass\n", role.name));
    sandbox.run_nightly();
}

#[test]
fn a_rotated_password_needs_no_restart() {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    let role = Role::new(&database, "first");
    sandbox.secret("password", "first\n");
    sandbox.configure(&with_password_file(&sandbox, &role.url(), "schedule = '* * * * * *'\nretries = 0"));
    let _daemon = sandbox.daemon();
    until("a first backup", Duration::from_secs(30), || !sandbox.backups("app").is_empty());

    database.sql(&format!("ALTER ROLE \"{}\" PASSWORD 'second'", role.name));
    let failed =
        || sandbox.state_sql("SELECT count(*) FROM runs WHERE state = 'failed'").trim().parse::<u32>().unwrap();
    until("a failure with the old password", Duration::from_secs(30), || failed() > 0);
    sandbox.secret("password", "second\n");
    let before = sandbox.backups("app").len();
    until("a backup with the new password", Duration::from_secs(30), || sandbox.backups("app").len() > before);
}

#[test]
fn a_wrong_password_says_where_it_is_looked_for_and_leaves_nothing() {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    let role = Role::new(&database, "right");
    sandbox.secret("password", "wrong-and-secret\n");
    sandbox.configure(&with_password_file(&sandbox, &role.url(), ""));
    let said = sandbox.caretaker(&["job", "run", "nightly", "--retries", "3"]).exits(1);
    assert!(said.stderr.contains("password_file") && !said.stderr.contains("wrong-and-secret"), "{}", said.stderr);
    sandbox.assert_nothing_left();
    // Trying again does not cure it.
    assert_eq!(sandbox.state_sql("SELECT count(*) FROM runs").trim(), "1");
}

#[test]
fn no_tool_is_given_the_password_in_its_arguments_or_environment() {
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    database.fill("t", 10);
    let tools = Tools::new(&sandbox);
    for name in ["pg_dump", "pg_dumpall", "pg_restore"] {
        let script = "tr '\\0' '\\n' </proc/$$/cmdline >>\"$here/seen\"; tr '\\0' '\\n' </proc/$$/environ \
                      >>\"$here/seen\"; exec \"$real\" \"$@\"";
        tools.replace(name, script);
    }
    let role = Role::new(&database, "sesame-4711");
    sandbox.secret("password", "sesame-4711");
    sandbox.configure_daemon(&tools.setting(), &with_password_file(&sandbox, &role.url(), ""));
    let folder = sandbox.run_nightly();
    let target = database.server().database();
    database.sql(&format!("ALTER ROLE \"{}\" SUPERUSER", role.name));
    let into = database.server().url_as(&role.name, None, &target.name);
    sandbox.caretaker(&["restore", "latest", "--database", "app", "--into", &into, "--yes"]).succeeds();
    drop(target);

    let seen = fs::read_to_string(tools.file("seen")).unwrap();
    assert!(seen.contains("--format=custom") && seen.contains("PGPASSFILE=") && seen.contains("pg_restore"), "{seen}");
    let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
    assert!(!seen.contains("sesame") && !manifest.contains("sesame"), "{seen}{manifest}");
}
