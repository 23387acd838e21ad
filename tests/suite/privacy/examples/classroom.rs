//! `classroom.toml`: a course with a teacher and pupils, on SQLite where it is developed and on PostgreSQL where it runs.

use std::fmt::Write as _;

use rstest::rstest;

use super::super::scene::{Kind, days_ago};
use super::{Trial, all, named, plain};

const SCHEMA: &str = "
CREATE TABLE users (id integer PRIMARY KEY, email varchar NOT NULL UNIQUE, full_name varchar, hashed_password varchar NOT NULL,
    role varchar NOT NULL, phone_number varchar(20), status varchar NOT NULL DEFAULT 'active', last_login timestamp);
CREATE INDEX users_last_login ON users (last_login);
CREATE TABLE datasets (id integer PRIMARY KEY, name varchar NOT NULL, description varchar);
CREATE TABLE progress (id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES users (id), unit varchar, score integer,
    completed_at timestamp);
CREATE INDEX progress_user ON progress (user_id);
CREATE INDEX progress_completed ON progress (completed_at);
";

/// User 1 teaches, and was not there for years either; 2 and 3 are pupils who left; 4 and 5 are there; 6 never logged in.
fn filled(kind: Kind) -> Trial {
    let mut sql = SCHEMA.to_owned();
    sql.push_str("INSERT INTO datasets VALUES (1, 'museum theft', 'who was where');");
    for (n, name) in (1..).zip(["teacher", "alice", "bob", "charlie", "diana", "eve"]) {
        let role = if n == 1 { "teacher" } else { "student" };
        let login = match n {
            1..=3 => format!("'{}'", days_ago(1000).trim_end_matches("+00")),
            6 => "NULL".to_owned(),
            _ => format!("'{}'", days_ago(3).trim_end_matches("+00")),
        };
        write!(sql, "INSERT INTO users VALUES ({n}, '{name}@example.com', 'Alice Smith', 'bcrypt', '{role}', '+1 555 234 567{n}', 'active', {login});").unwrap();
        for unit in 0..2 {
            let at = days_ago(if unit == 0 { 400 } else { 40 });
            write!(
                sql,
                "INSERT INTO progress VALUES ({}, {n}, 'unit {unit}', 80, '{}');",
                2 * n + unit,
                at.trim_end_matches("+00")
            )
            .unwrap();
        }
    }
    Trial::new(kind, "classroom", &["users", "datasets", "progress"], &sql)
}

#[rstest]
fn pupils_who_left_become_nobody_and_old_progress_goes(#[values(Kind::Postgres, Kind::Sqlite)] kind: Kind) {
    let trial = filled(kind);
    let became = trial.apply();
    assert_eq!(became.gone, named("progress", [2, 4, 6, 8, 10, 12], plain));
    assert_eq!(became.changed, named("users", [2, 3], plain));
    let nobody = "users WHERE status = 'anonymised' AND phone_number IS NULL AND hashed_password = '!'
        AND email LIKE '%@example.invalid' AND full_name <> 'Alice Smith'";
    assert_eq!(trial.scene.count(nobody), 2);
    let (became, erasure) = trial.erase("5");
    assert_eq!(became.gone, named("progress", [11], plain));
    assert_eq!(became.changed, all([named("users", [5], plain)]));
    assert_eq!(trial.scene.count(nobody), 3);
    trial.can_be_shown(&erasure);
}
