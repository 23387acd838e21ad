//! The demo's database: an education product like many, with people's data in it.

use std::path::Path;

use rusqlite::{Connection, Result, params};

const LEARNERS: i64 = 400;
const SESSIONS: i64 = 4_000;
const ANSWERS_PER_SESSION: i64 = 5;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE learners (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL);
    CREATE TABLE courses (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY, learner_id INTEGER NOT NULL REFERENCES learners, course_id INTEGER NOT NULL REFERENCES courses,
        started_at TEXT NOT NULL, ended_at TEXT);
    CREATE TABLE answers (
        id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions, question INTEGER NOT NULL,
        answer TEXT, correct INTEGER NOT NULL, answered_at TEXT NOT NULL);
    CREATE INDEX answers_by_session ON answers (session_id);
";

const FIRST: [&str; 8] = ["Ada", "Grace", "Edsger", "Barbara", "Alan", "Radia", "Donald", "Frances"];
const LAST: [&str; 8] = ["Lovelace", "Hopper", "Dijkstra", "Liskov", "Turing", "Perlman", "Knuth", "Allen"];
const COURSES: [&str; 4] = ["Logic", "Reading comprehension", "Statistics", "Databases at night"];

/// Makes the database; returns how many rows it has.
pub(super) fn create(path: &Path) -> Result<i64> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch(SCHEMA)?;
    let transaction = connection.transaction()?;
    for (id, title) in (1..).zip(COURSES) {
        transaction.execute("INSERT INTO courses VALUES (?1, ?2)", params![id, title])?;
    }
    for id in 1..=LEARNERS {
        let (first, last) = (pick(&FIRST, id), pick(&LAST, id / 8));
        let email = format!("{}.{}.{id}@example.org", first.to_lowercase(), last.to_lowercase());
        transaction.execute(
            "INSERT INTO learners VALUES (?1, ?2, ?3, datetime('2026-01-01', ?1 || ' hours'))",
            params![id, format!("{first} {last}"), email],
        )?;
    }
    for session in 1..=SESSIONS {
        add_session(&transaction, session)?;
    }
    transaction.commit()?;
    connection.query_row(
        "SELECT (SELECT count(*) FROM courses) + (SELECT count(*) FROM learners) + (SELECT count(*) FROM sessions)
              + (SELECT count(*) FROM answers)",
        [],
        |row| row.get(0),
    )
}

/// Another day of learning.
pub(super) fn live_on(path: &Path) -> Result<()> {
    let mut connection = Connection::open(path)?;
    let transaction = connection.transaction()?;
    for session in SESSIONS + 1..=SESSIONS + 50 {
        add_session(&transaction, session)?;
    }
    transaction.commit()
}

fn add_session(connection: &Connection, session: i64) -> Result<()> {
    connection.execute(
        "INSERT INTO sessions VALUES (?1, 1 + ?1 % ?2, 1 + ?1 % 4, datetime('2026-02-01', ?1 || ' minutes'),
             CASE WHEN ?1 % 9 > 0 THEN datetime('2026-02-01', (?1 + 20) || ' minutes') END)",
        params![session, LEARNERS],
    )?;
    for question in 1..=ANSWERS_PER_SESSION {
        connection.execute(
            "INSERT INTO answers (session_id, question, answer, correct, answered_at)
             VALUES (?1, ?2, 'option ' || (abs(random()) % 4), random() & 1, datetime('2026-02-01', (?1 + ?2) || ' minutes'))",
            params![session, question],
        )?;
    }
    Ok(())
}

fn pick<'a>(names: &[&'a str], number: i64) -> &'a str {
    names[usize::try_from(number).unwrap_or(0) % names.len()]
}
