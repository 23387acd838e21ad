//! A school of ten people, whose rows stand in five tables; row `i` of each is about person `i % 10 + 1`.

use super::scene::{Kind, Scene};

/// What people are known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Integer,
    Uuid,
    Text,
}

impl Key {
    /// Its type.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Uuid => "uuid",
            Self::Text => "text",
        }
    }

    /// The key of a person; 0 is nobody.
    pub fn of(self, person: u32) -> String {
        match self {
            Self::Integer => format!("{}", person * 7_700_077),
            Self::Uuid => format!("abcdef00-0000-4000-8000-0000000000{person:02}"),
            Self::Text => format!("zoe-{person}@kids.example"),
        }
    }
}

/// The tables, with the condition under which a row is about person 3.
pub const TABLES: [(&str, &str); 6] = [
    ("users", "name = 'name 3'"),
    ("sessions", "id % 10 = 2"),
    ("responses", "id % 10 = 2"),
    ("essays", "id % 10 = 2"),
    ("versions", "id % 10 = 2"),
    ("comments", "id % 10 = 2"),
];

/// The school.
pub fn school(kind: Kind, key: Key) -> Scene {
    let id = key.type_name();
    let users: Vec<String> = (0..=10).map(|n| format!("('{}', 'name {n}')", key.of(n))).collect();
    let of_rows = |columns: &str| {
        let rows: Vec<String> = (1..=60)
            .map(|i| {
                let user = key.of(i % 10 + 1);
                format!("({})", columns.replace("USER", &format!("'{user}'")).replace('I', &i.to_string()))
            })
            .collect();
        rows.join(",")
    };
    Scene::new(
        kind,
        &format!(
            "CREATE TABLE users (id {id} PRIMARY KEY, name text);
             CREATE TABLE sessions (id integer PRIMARY KEY, user_id {id} NOT NULL REFERENCES users, ip text);
             CREATE TABLE responses (id integer PRIMARY KEY, user_id {id} REFERENCES users,
                 session_id integer REFERENCES sessions, answer text);
             CREATE TABLE essays (id integer PRIMARY KEY, student_id {id} REFERENCES users);
             CREATE TABLE versions (id integer PRIMARY KEY, essay_id integer REFERENCES essays, body text);
             CREATE TABLE comments (id integer PRIMARY KEY, version_id integer, body text);
             INSERT INTO users VALUES {}; INSERT INTO sessions VALUES {}; INSERT INTO responses VALUES {};
             INSERT INTO essays VALUES {}; INSERT INTO versions VALUES {}; INSERT INTO comments VALUES {};",
            users.join(","),
            of_rows("I, USER, '10.0.0.I'"),
            of_rows("I, USER, I, 'answer I'"),
            of_rows("I, USER"),
            of_rows("I, I, 'body I'"),
            of_rows("I, I, 'comment I'"),
        ),
    )
}

/// What erasing a person means there.
pub fn policy(key: Key) -> String {
    let tombstone = match key {
        Key::Integer => key.of(0),
        _ => format!("'{}'", key.of(0)),
    };
    format!("[privacy.school.subject]\ntable = 'users'\nkey = 'id'\ntombstone = {tombstone}\n{REFERENCES}")
}

/// Where people stand.
pub const REFERENCES: &str = "
[[privacy.school.subject.references]]
table = 'sessions'
column = 'user_id'
set = { user_id = 'tombstone', ip = 'null' }
[[privacy.school.subject.references]]
table = 'responses'
column = 'user_id'
set = { user_id = 'tombstone', session_id = 'null' }
[[privacy.school.subject.references]]
table = 'essays'
column = 'student_id'
set = { student_id = 'tombstone' }
[[privacy.school.subject.references]]
table = 'versions'
via = 'versions.essay_id -> essays.student_id'
set = { body = 'null' }
[[privacy.school.subject.references]]
table = 'comments'
via = 'comments.version_id -> versions.essay_id -> essays.student_id'
action = 'delete'
";

/// Every row that is not about person 3, as the stock client prints it.
pub fn others(scene: &Scene) -> Vec<String> {
    others_in(|sql| scene.sql(sql))
}

/// The same of another database.
pub fn others_in(sql: impl Fn(&str) -> String) -> Vec<String> {
    TABLES
        .iter()
        .map(|(table, theirs)| sql(&format!("SELECT * FROM {table} WHERE NOT ({theirs}) ORDER BY id")))
        .collect()
}

/// Erases a person.
#[track_caller]
pub fn erase(scene: &Scene, id: &str) -> crate::support::Outcome {
    scene.privacy(&["erase", "school", "--subject", id, "--yes"])
}

/// All bytes of the state directory but its locks.
pub fn remembered(scene: &Scene) -> Vec<u8> {
    let files = std::fs::read_dir(scene.sandbox.state()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).flat_map(|path| std::fs::read(path).unwrap()).collect()
}
