//! The digest of a real daemon.

use serde_json::Value;

use crate::support::{Daemon, Postgres, Sandbox, eventually, patient, sqlite_url};

const HOUR: &str = "3600000";

/// A machine with a PostgreSQL and a SQLite database, both backed up and looked at by hand only, and a digest each second.
fn machine(app: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.sqlite("notes.db", 100);
    let job = |table: &str, database: &str| {
        format!("[backup.{table}]\ndatabase = '{database}'\nstores = ['local']\nretention = 'last 3'\n")
    };
    let looks = |database: &str| {
        format!("[health.{database}]\ndatabase = '{database}'\nschedule = '@yearly'\ndeep_schedule = '@yearly'\n")
    };
    sandbox.configure(&format!(
        "[databases.app]\nurl = '{app}'\n[databases.notes]\nurl = '{}'\n{}schedule = '0 2 * * *'\n{}{}{}\
         [channels.ops]\nkind = 'file'\npath = './ops'\n[alerts]\ngroup_wait = '1s'\ndigest = '* * * * * *'\n",
        sqlite_url(&sandbox.path("notes.db")),
        job("app", "app"),
        job("notes", "notes"),
        looks("app"),
        looks("notes"),
    ));
    sandbox
}

/// The digests in the file, the oldest first.
fn digests(sandbox: &Sandbox) -> Vec<Value> {
    let text = std::fs::read_to_string(sandbox.path("ops")).unwrap_or_default();
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let messages = lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["message"].clone());
    messages.filter(|message| message["kind"] == "digest").collect()
}

/// What a section says of something: its facts in one text.
fn said(digest: &Value, section: &str, name: &str) -> String {
    let sections = digest["sections"].as_array().unwrap();
    let rows = sections.iter().filter(|found| found["title"] == section).flat_map(|it| it["rows"].as_array().unwrap());
    let facts = rows.filter(|row| row["name"] == name).flat_map(|row| row["facts"].as_array().unwrap());
    facts.map(|fact| fact.as_str().unwrap()).collect::<Vec<_>>().join("; ")
}

fn wait(sandbox: &Sandbox, what: &str, look: impl Fn(&Value) -> bool) -> (Daemon, Value) {
    let daemon = sandbox.daemon();
    let digest = eventually(what, patient(), || digests(sandbox).pop().filter(|digest| look(digest)));
    (daemon, digest)
}

#[test]
fn a_digest_tells_size_growth_health_backups_and_proof_of_every_database() {
    let database = Postgres::shared().database();
    let sandbox = machine(&database.url());
    for job in ["health.app", "health.notes", "app", "notes"] {
        sandbox.caretaker(&["job", "run", job]).succeeds();
    }
    sandbox.caretaker(&["backup", "verify", "latest", "--database", "notes"]).succeeds();
    // Half a day ago they were half a mebibyte smaller.
    sandbox.state_sql(&format!(
        "INSERT INTO samples SELECT database, metric, object, at_ms - 12 * {HOUR}, value - 524288 FROM samples \
         WHERE metric = 'database_bytes';"
    ));
    let (_daemon, digest) = wait(&sandbox, "a digest", |_| true);
    let (app, notes) = (said(&digest, "Databases", "app"), said(&digest, "Databases", "notes"));
    for said in [&app, &notes] {
        assert!(said.contains(", grows by 1.00 MiB a day") && said.contains("checks: "), "{said}");
        assert!(said.contains("1 backup, the newest ") && said.contains(" ago, complete"), "{said}");
    }
    assert!(app.ends_with("never proven") && notes.contains("last proof "), "{app} {notes}");
}

#[test]
fn a_digest_counts_the_runs_of_every_job_and_says_what_came_of_them() {
    let sandbox = machine("sqlite:///nowhere/app.db");
    for _ in 0..2 {
        sandbox.caretaker(&["job", "run", "notes"]).succeeds();
    }
    sandbox.caretaker(&["job", "run", "app"]).exits(1);
    let said_of = |digest: &Value, job: &str| said(digest, "Jobs", job);
    // The first digest counts from its own time on: these runs lie before it.
    let (daemon, digest) = wait(&sandbox, "a digest", |_| true);
    assert!(said_of(&digest, "backup.notes").starts_with("has not run; last success "), "{digest}");
    daemon.kill();
    sandbox.state_sql(&format!("UPDATE marks SET at_ms = at_ms - {HOUR} WHERE name = 'digest';"));
    std::fs::remove_file(sandbox.path("ops")).unwrap();
    let (_daemon, _) = wait(&sandbox, "a digest of an hour", |_| true);
    let digest = digests(&sandbox).remove(0);
    assert_eq!(said_of(&digest, "backup.notes"), "2 runs, all succeeded");
    assert_eq!(said_of(&digest, "backup.app"), "0 of 1 run succeeded; 1 failed; it has never succeeded");
}

#[test]
fn a_digest_lists_what_is_due_and_the_incidents_with_how_long_they_lasted() {
    let sandbox = machine(&sqlite_url(&Sandbox::new().path("app.db")));
    sandbox.caretaker(&["job", "run", "notes"]).succeeds();
    sandbox.caretaker(&["job", "run", "app"]).exits(1);
    sandbox.caretaker(&["alert", "silence", "locks", "--for", "2h", "--reason", "new disk"]).succeeds();
    // A certificate that a look of an hour ago found to end in ten days.
    sandbox.state_sql(
        "INSERT INTO checks SELECT 'health', 'notes', 'tls_certificate', 'ok', since_ms, observed_ms, \
         json_set(observation, '$.source', 'health', '$.subject', 'notes', '$.name', 'tls_certificate', \
             '$.number', 864000.0, '$.summary', 'the certificate ends in 10d') FROM checks LIMIT 1;",
    );
    sandbox.state_sql(
        "INSERT INTO disposition_log VALUES (7, 0, 'hold_added', NULL, NULL, NULL, '', '', '{}', '', 'abcdef');",
    );
    let open = |digest: &Value| digest["incidents"].as_array().is_some_and(|all| !all.is_empty());
    let (_daemon, digest) = wait(&sandbox, "a digest with the incident", open);
    let due = digest["sections"].as_array().unwrap().iter().find(|section| section["title"] == "Due").unwrap();
    let facts: Vec<&str> =
        due["rows"].as_array().unwrap().iter().map(|row| row["facts"][0].as_str().unwrap()).collect();
    let expected = [
        "the silence of locks ends: new disk",
        "backup.app",
        "a proof of notes (`caretaker backup verify`)",
        "notes tls_certificate: the certificate ends in 10d",
    ];
    // Whether the silence ends before two o'clock depends on the time of day.
    let (first, later) = facts.split_at(2);
    assert!(first.contains(&expected[0]) && first.contains(&expected[1]) && later == &expected[2..], "{due}");
    assert_eq!(digest["incidents"][0]["subject"], "backup.app");
    assert_eq!(digest["text"][1], "1 incident is open.");
    assert_eq!(digest["text"][2], "The disposition log stands at line 7, abcdef.");
}
