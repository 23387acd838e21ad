//! `students.toml`: pupils, parents and teachers with all that they did. PostgreSQL: it has types of its own.

use std::fmt::Write as _;

use super::super::scene::{Kind, days_ago};
use super::{NOBODY, Trial, all, named, uuid};

const SCHEMA: &str = "
CREATE TYPE user_role AS ENUM ('student', 'teacher', 'admin', 'parent');
CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email varchar(255) NOT NULL UNIQUE CHECK (email LIKE '%@%'),
    full_name varchar(255) NOT NULL, password_hash varchar(255) NOT NULL, role user_role NOT NULL DEFAULT 'student',
    grade integer CHECK (grade BETWEEN 1 AND 12), parent_id uuid REFERENCES users, preferences jsonb,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX users_parent ON users (parent_id);
CREATE TABLE learning_paths (id uuid PRIMARY KEY, title varchar(255) NOT NULL, content jsonb, created_at timestamptz DEFAULT now());
CREATE TABLE modules (id uuid PRIMARY KEY, learning_path_id uuid NOT NULL REFERENCES learning_paths, title varchar(255), content jsonb);
CREATE TABLE study_sessions (id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users, module_id uuid REFERENCES modules,
    started_at timestamptz, ended_at timestamptz, notes text, created_at timestamptz NOT NULL, CHECK (ended_at >= started_at));
CREATE INDEX study_sessions_user ON study_sessions (user_id);
CREATE INDEX study_sessions_created ON study_sessions (created_at);
CREATE TABLE assessments (id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users, module_id uuid REFERENCES modules,
    score numeric(5, 2) CHECK (score BETWEEN 0 AND 100), answers jsonb, created_at timestamptz NOT NULL);
CREATE INDEX assessments_user ON assessments (user_id);
CREATE TABLE achievements (id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users, badge varchar(50) NOT NULL,
    earned_at timestamptz, UNIQUE (user_id, badge));
CREATE TABLE progress (id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users, module_id uuid NOT NULL REFERENCES modules,
    percent numeric(5, 2) CHECK (percent BETWEEN 0 AND 100), updated_at timestamptz, UNIQUE (user_id, module_id));
CREATE TABLE notifications (id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users, body text, read_at timestamptz,
    created_at timestamptz NOT NULL);
CREATE INDEX notifications_user ON notifications (user_id);
CREATE TABLE audit_logs (id uuid PRIMARY KEY, user_id uuid REFERENCES users, action varchar(50) NOT NULL, ip_address inet,
    details jsonb, created_at timestamptz NOT NULL);
CREATE INDEX audit_logs_user ON audit_logs (user_id);
";

/// Users 1 to 4 are pupils, 5 is the parent of 1 and 2, 6 teaches. Each has a row of everything; the even ones an old one.
fn filled() -> Trial {
    let mut sql = SCHEMA.to_owned();
    write!(sql, "INSERT INTO users (id, email, full_name, password_hash) VALUES ('{NOBODY}', 'nobody@example.invalid', 'nobody', '!');").unwrap();
    write!(sql, "INSERT INTO learning_paths VALUES ('{}', 'Fractions', '{{}}');", uuid(1)).unwrap();
    write!(sql, "INSERT INTO modules VALUES ('{}', '{}', 'Halves', '{{}}');", uuid(1), uuid(1)).unwrap();
    for n in [5, 6, 1, 2, 3, 4] {
        let (id, module, at) = (uuid(n), uuid(1), days_ago(if n % 2 == 0 { 1200 } else { 20 }));
        let role = ["student", "parent", "teacher"][n.saturating_sub(4) as usize];
        let parent = if n <= 2 { format!("'{}'", uuid(5)) } else { "NULL".to_owned() };
        let read = if n == 4 { "NULL".to_owned() } else { format!("'{at}'") };
        write!(
            sql,
            "INSERT INTO users VALUES ('{id}', 'user{n}@example.com', 'Alice Smith', 'argon2', '{role}', NULL, {parent}, '{{}}', '{at}', '{at}');
             INSERT INTO study_sessions VALUES ('{id}', '{id}', '{module}', '{at}', '{at}', 'sat with Bob', '{at}');
             INSERT INTO assessments VALUES ('{id}', '{id}', '{module}', 87.5, '[1]', '{at}');
             INSERT INTO achievements VALUES ('{id}', '{id}', 'first', '{at}');
             INSERT INTO progress VALUES ('{id}', '{id}', '{module}', 50, '{at}');
             INSERT INTO notifications VALUES ('{id}', '{id}', 'well done', {read}, '{at}');
             INSERT INTO audit_logs VALUES ('{id}', '{id}', 'login', '203.0.113.{n}', '{{}}', '{at}');"
        )
        .unwrap();
    }
    const TABLES: &[&str] = &[
        "users",
        "learning_paths",
        "modules",
        "study_sessions",
        "assessments",
        "achievements",
        "progress",
        "notifications",
        "audit_logs",
    ];
    Trial::new(Kind::Postgres, "students", TABLES, &sql)
}

#[test]
fn what_is_old_goes_or_tells_of_nobody_and_a_parent_goes_without_the_children() {
    let trial = filled();
    let became = trial.apply();
    assert_eq!(became.gone, named("notifications", [2, 6], uuid));
    let old = ["study_sessions", "assessments", "audit_logs"].map(|table| named(table, [2, 4, 6], uuid));
    assert_eq!(became.changed, all(old));
    let nobody = format!("user_id = '{NOBODY}'");
    assert_eq!(trial.scene.count(&format!("study_sessions WHERE {nobody} AND notes IS NULL")), 3);
    assert_eq!(trial.scene.count(&format!("assessments WHERE {nobody} AND answers IS NULL AND score IN (80, 90)")), 3);
    assert_eq!(trial.scene.count("audit_logs WHERE ip_address IS NULL AND details IS NULL AND user_id IS NOT NULL"), 3);
    let (became, erasure) = trial.erase(&uuid(5));
    let theirs = ["users", "achievements", "progress", "notifications"].map(|table| named(table, [5], uuid));
    assert_eq!(became.gone, all(theirs));
    let kept = ["study_sessions", "assessments", "audit_logs"].map(|table| named(table, [5], uuid));
    assert_eq!(became.changed, all([all(kept), named("users", [1, 2], uuid)]));
    assert_eq!(trial.scene.count("users WHERE parent_id IS NOT NULL"), 0);
    trial.can_be_shown(&erasure);
}
