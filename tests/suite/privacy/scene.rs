//! A database of either kind under a policy.

use std::path::PathBuf;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::{Database, Outcome, Postgres, Sandbox, sqlite_url, stock};

/// Which kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postgres,
    Sqlite,
}

/// A sandbox with a database `app` and a policy `school` on it.
pub struct Scene {
    pub sandbox: Sandbox,
    database: Ground,
}

/// A database of either kind.
pub enum Ground {
    Postgres(Database),
    Sqlite(PathBuf),
}

impl Ground {
    /// Its URL.
    pub fn url(&self) -> String {
        match self {
            Self::Postgres(database) => database.socket_url(),
            Self::Sqlite(path) => sqlite_url(path),
        }
    }

    /// Runs statements with the stock client; gives rows as lines, values separated by `|`.
    pub fn sql(&self, sql: &str) -> String {
        match self {
            Self::Postgres(database) => database.sql(sql),
            Self::Sqlite(path) => stock::sqlite(path, &format!("PRAGMA foreign_keys = ON; {sql}")),
        }
        .trim()
        .to_owned()
    }

    /// Its only figure.
    pub fn count(&self, from: &str) -> u64 {
        self.sql(&format!("SELECT count(*) FROM {from}")).parse().unwrap()
    }

    /// Whether there is one.
    pub fn exists(&self) -> bool {
        match self {
            Self::Sqlite(path) => path.exists(),
            Self::Postgres(database) => {
                let found = format!("SELECT 1 FROM pg_database WHERE datname = '{}'", database.name);
                database.server().sql("postgres", &found) == "1\n"
            }
        }
    }
}

impl Scene {
    /// A database in which these statements have run.
    pub fn new(kind: Kind, sql: &str) -> Self {
        let sandbox = Sandbox::new();
        let database = match kind {
            Kind::Postgres => Ground::Postgres(Postgres::shared().database()),
            Kind::Sqlite => Ground::Sqlite(sandbox.path("app.db")),
        };
        let scene = Self { sandbox, database };
        scene.sql(sql);
        scene
    }

    /// The same in a database that is there.
    pub fn of(database: Database, sql: &str) -> Self {
        let scene = Self { sandbox: Sandbox::new(), database: Ground::Postgres(database) };
        scene.sql(sql);
        scene
    }

    /// Runs statements with the stock client; gives rows as lines, values separated by `|`.
    pub fn sql(&self, sql: &str) -> String {
        self.database.sql(sql)
    }

    /// Its only figure.
    pub fn count(&self, from: &str) -> u64 {
        self.database.count(from)
    }

    /// A database of the same kind that is not there yet.
    pub fn to_come(&self, name: &str) -> Ground {
        match &self.database {
            Ground::Postgres(database) => Ground::Postgres(database.server().to_come()),
            Ground::Sqlite(_) => Ground::Sqlite(self.sandbox.path(name)),
        }
    }

    /// The PostgreSQL database.
    pub fn postgres(&self) -> &Database {
        match &self.database {
            Ground::Postgres(database) => database,
            Ground::Sqlite(_) => panic!("this is a SQLite database"),
        }
    }

    /// Where the database is.
    pub fn url(&self) -> String {
        self.database.url()
    }

    /// Writes the configuration with these lines for `[privacy.school]` and what follows.
    pub fn policy(&self, lines: &str) -> &Self {
        self.configure("", lines)
    }

    /// The same with further tables.
    pub fn configure(&self, tables: &str, lines: &str) -> &Self {
        let url = self.url();
        self.sandbox.configure(&format!(
            "{tables}\n[databases.app]\nurl = '{url}'\n[privacy.school]\ndatabase = 'app'\n{lines}"
        ));
        self
    }

    /// Runs `caretaker privacy …`.
    #[track_caller]
    pub fn privacy(&self, arguments: &[&str]) -> Outcome {
        self.sandbox.caretaker(&[&["privacy"], arguments].concat())
    }

    /// Applies the policy.
    #[track_caller]
    pub fn apply(&self) -> Outcome {
        self.privacy(&["apply", "school", "--yes"])
    }

    /// The same, without waiting for its end.
    pub fn applying(&self) -> Command {
        let mut command = self.sandbox.command();
        command.args(["privacy", "apply", "school", "--yes"]);
        command
    }

    /// The plan.
    #[track_caller]
    pub fn plan(&self) -> Value {
        self.privacy(&["plan", "school", "--format", "json"]).json()
    }

    /// The plan of one rule.
    #[track_caller]
    pub fn rule(&self, name: &str) -> Value {
        let plan = self.plan();
        let rules = plan["rules"].as_array().unwrap();
        rules.iter().find(|rule| rule["name"] == name).unwrap_or_else(|| panic!("no rule {name}: {plan}")).clone()
    }

    /// The log's lines of one kind.
    pub fn logged(&self, kind: &str) -> Vec<Value> {
        let log = self.privacy(&["log", "--format", "json"]).succeeds().stdout;
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["kind"] == kind).collect()
    }
}

/// An instant so many days ago, as both kinds of databases write it.
pub fn days_ago(days: i64) -> String {
    let at = Timestamp::now() - SignedDuration::from_hours(24 * days);
    at.strftime("%Y-%m-%d %H:%M:%S+00").to_string()
}

/// One rule, in TOML.
pub fn rule(table: &str, rest: &str) -> String {
    format!(
        "[[privacy.school.rules]]\nname = 'old {table}'\ntable = '{table}'\nage_column = 'made'\nolder_than = '90 days'\n{rest}\n"
    )
}

/// So many rows `(id, who, made)`; every third is older than 90 days.
pub fn notes(table: &str, rows: u32) -> String {
    let (old, new) = (days_ago(100), days_ago(10));
    format!(
        "CREATE TABLE {table} (id integer PRIMARY KEY, who text, body text, made timestamptz);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO {table} (id, who, body) SELECT i, 'p' || (i % 10), 'text ' || i FROM n;
         UPDATE {table} SET made = '{new}'; UPDATE {table} SET made = '{old}' WHERE id % 3 = 0;"
    )
}
