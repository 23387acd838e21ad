//! `health`, `health terminate`, `database grants`.

use std::process::{Child, Stdio};

use crate::support::{Database, OwnPostgres, Postgres, Sandbox, patient, sqlite_url, unique, until};

fn cared_for(database: &Database) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!("[databases.app]\nurl = '{}'\n", database.url()));
    sandbox
}

/// What is found of one check.
fn check(json: &serde_json::Value, name: &str) -> serde_json::Value {
    let checks = json[0]["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).cloned().unwrap_or_else(|| panic!("no {name} in {json}"))
}

#[test]
fn a_line_for_each_check_says_value_and_threshold() {
    let database = Postgres::shared().database();
    let sandbox = cared_for(&database);
    let said = sandbox.caretaker(&["health", "app"]).says("connectivity").says("connected with TLS in");
    assert!(said.stdout.lines().any(|line| line.starts_with("connections") && line.contains("warning from 80 %")));
    let json = sandbox.caretaker(&["--format", "json", "health", "app"]).json();
    let connections = check(&json, "connections");
    assert_eq!(connections["status"], "ok");
    assert!(connections["number"].as_f64().unwrap() > 0.0);
    assert!(connections["sql"][1].as_str().unwrap().contains("pg_stat_activity"));
}

#[test]
fn detailed_says_what_was_seen_and_asked_when_all_is_well_too() {
    let database = Postgres::shared().database();
    let sandbox = cared_for(&database);
    database.sql("CREATE TABLE note AS SELECT generate_series(1, 9)");
    let said = sandbox.caretaker(&["health", "app", "--detailed"]).says("SQL: SELECT").says("× ").says("looked for");
    // Where the thresholds come from, what would be to do, and sizes on the first day too.
    said.says("for TCP and ")
        .says("why there: check_postgres (query_time)")
        .says("advice, were it not OK: see whether it waits")
        .says("public.note: 8.00 KiB");
    sandbox.caretaker(&["health", "--checks"]).says("check_postgres (query_time)");
}

#[test]
fn detailed_says_what_a_sqlite_file_was_asked() {
    let sandbox = Sandbox::new();
    let path = sandbox.sqlite("notes.db", 10);
    sandbox.configure(&format!("[databases.app]\nurl = '{}'\n", sqlite_url(&path)));
    let said = sandbox.caretaker(&["health", "app", "--detailed", "--deep"]);
    let said = said.says("SQL: PRAGMA freelist_count").says("SQL: PRAGMA integrity_check(100)");
    let said = said.says("SQL: PRAGMA foreign_key_check");
    assert!(!said.stdout.contains("pgbouncer"), "{}", said.stdout);
}

#[test]
fn a_refusal_says_what_would_let_caretaker_in() {
    let server = OwnPostgres::start();
    server.sql("postgres", "CREATE ROLE stranger LOGIN PASSWORD 'x'; REVOKE CONNECT ON DATABASE postgres FROM PUBLIC");
    let sandbox = Sandbox::new();
    let detailed = |url: &str| {
        sandbox.configure(&format!("[databases.app]\nurl = '{url}'\n"));
        sandbox.caretaker(&["health", "app", "--detailed"]).exits(5)
    };
    detailed(&server.url_as("stranger", Some("x"), "postgres")).says("advice: GRANT CONNECT ON DATABASE");
    detailed(&format!("{}?sslmode=require", server.url("postgres"))).says("advice: set `ssl = on`");
    detailed(&server.url_as("nobody", Some("x"), "postgres")).says("that the role exists (CREATE ROLE");
    std::fs::write(sandbox.path("text.db"), "not a database, though it is long enough to be one").unwrap();
    detailed(&sqlite_url(&sandbox.path("text.db"))).says("advice: correct the path in the url, or restore");
}

#[test]
fn a_server_that_is_not_there_is_critical_and_nothing_is_said_of_what_lies_behind() {
    let sandbox = Sandbox::new();
    sandbox.configure("[databases.app]\nurl = 'postgres://nobody@127.0.0.1:1/app'\n");
    let said = sandbox.caretaker(&["--format", "json", "health", "app"]).exits(5);
    let connectivity = check(&said.json(), "connectivity");
    assert_eq!(connectivity["status"], "critical");
    assert!(connectivity["advice"].as_str().unwrap().contains("listen_addresses"));
    assert!(!said.stdout.contains("\"connections\""));
    sandbox.caretaker(&["health", "--nagios"]).exits(2).says("CARETAKER CRITICAL - app connectivity:");
    sandbox.caretaker(&["health"]).exits(5).says("what to do: caretaker health app --detailed");
}

#[test]
fn thresholds_and_disabled_checks_are_the_operators() {
    let database = Postgres::shared().database();
    let sandbox = Sandbox::new();
    sandbox.configure(&format!(
        "[databases.app]\nurl = '{}'\n\n[health.app]\ndatabase = 'app'\n\n\
         [health.app.checks.connections]\nwarning = 0.0\ncritical = '99 %'\n\n\
         [health.app.checks.connectivity]\ndisabled = true\n",
        database.url()
    ));
    let said = sandbox.caretaker(&["--format", "json", "health", "app"]).exits(5);
    assert_eq!(check(&said.json(), "connections")["status"], "warning");
    assert!(!said.stdout.contains("\"connectivity\""));
    let line = sandbox.caretaker(&["health", "app", "--nagios"]).exits(1).says("CARETAKER WARNING - ").stdout;
    assert!(line.contains("'app_connections'=") && line.contains(";0;0.99"), "{line}");
}

#[test]
fn a_wrong_check_and_wrong_thresholds_are_told_where_they_stand() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "[databases.app]\nurl = 'sqlite:///tmp/none.db'\n\n[health.app]\ndatabase = 'app'\n\
         maintenance = [{ schedule = '0 3 * * 0', duraton = '2h' }]\n\n\
         [health.app.checks.cache_hits]\nwarning = 0.9\n\n\
         [health.app.checks.cache_hit]\nwarning = 0.8\ncritical = 0.9\n\n\
         [health.app.checks.locks]\nwarning = 'soon'\n",
    );
    sandbox
        .caretaker(&["config", "check"])
        .exits(2)
        .complains("unknown check `cache_hits`; did you mean `cache_hit`?")
        .complains("`critical` lies above `warning`")
        .complains("unknown key `duraton`; did you mean `duration`?")
        .complains("write a duration such as");
}

#[test]
fn a_role_is_told_what_it_lacks_and_has_it_after_the_statements_it_was_given() {
    let database = Postgres::shared().database();
    let role = unique("role");
    database.sql(&format!("CREATE TABLE note (id serial); CREATE ROLE \"{role}\" LOGIN PASSWORD 'open-sesame'"));
    let sandbox = Sandbox::new();
    let password = sandbox.secret("password", "open-sesame");
    sandbox.configure(&format!(
        "[databases.app]\nurl = '{}'\npassword_file = '{}'\n",
        database.server().url_as(&role, None, &database.name),
        password.display()
    ));
    let missing =
        sandbox.caretaker(&["database", "grants", "app"]).exits(5).says("missing").says("GRANT pg_monitor TO");
    let missing = missing.says(&format!("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO \"{role}\";"));
    for statement in missing.stdout.lines().filter(|line| line.ends_with(';')) {
        database.sql(statement);
    }
    sandbox.caretaker(&["database", "grants", "app"]).succeeds();
    database.sql(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\""));
}

/// A session that has begun a transaction and does nothing.
struct Idler(Child);

impl Idler {
    fn begin(database: &Database, application: &str) -> Self {
        let mut psql = database.server().program("psql");
        psql.args(["-XAtq", "-d", &database.socket_url()]).env("PGAPPNAME", application);
        let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"BEGIN; SELECT 1;\n").unwrap();
        let idle = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{application}' AND state = 'idle in transaction'"
        );
        until("the session to idle", patient(), || database.sql(&idle).trim() == "1");
        Self(child)
    }
}

impl Drop for Idler {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn idle_transactions_are_ended_after_they_were_shown_and_only_those() {
    let database = Postgres::shared().database();
    let sandbox = cared_for(&database);
    let _idler = Idler::begin(&database, "forgetful");
    let terminate = ["health", "terminate", "app", "--idle-over"];
    let with = |more: &[&str]| sandbox.caretaker(&[&terminate, more].concat());
    with(&["1h"]).succeeds().says("no session in app");
    with(&["0s"]).exits(3).says("forgetful").complains("--yes");
    let there = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'forgetful'";
    assert_eq!(database.sql(there), "1\n");
    with(&["0s", "--yes"]).succeeds().says("ended 1").complains("ended an idle transaction by hand");
    until("the session to be gone", patient(), || database.sql(there) == "0\n");
    with(&["soon"]).exits(2).complains("not a length of time");
}

#[test]
fn who_may_not_see_or_end_idle_transactions_is_told_what_to_grant() {
    let database = Postgres::shared().database();
    let role = unique("role");
    database.sql(&format!("CREATE ROLE \"{role}\" LOGIN PASSWORD 'x'"));
    let sandbox = Sandbox::new();
    let url = database.server().url_as(&role, Some("x"), &database.name);
    sandbox.configure(&format!("[databases.app]\nurl = '{url}'\n"));
    let _idler = Idler::begin(&database, "unseen");
    let terminate = ["health", "terminate", "app", "--idle-over", "0s", "--yes"];
    sandbox
        .caretaker(&terminate)
        .exits(6)
        .says("no session in app that can be seen")
        .complains("1 session of other roles cannot be seen: `caretaker database grants");
    database.sql(&format!("GRANT pg_monitor TO \"{role}\""));
    let refused = sandbox.caretaker(&terminate).exits(1);
    refused.says("unseen").complains("GRANT pg_signal_backend TO the role");
    database.sql(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\""));
}
