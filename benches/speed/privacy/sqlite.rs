//! SQLite: one file, one writer beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::writer::Writer;
use super::{Cost, ROWS, Way, disposition, print, race};
use crate::Wish;
use crate::measure::measure;
use crate::support::{Sandbox, stock};
use crate::target::Bound::AtMost;
use crate::target::Targets;

pub fn run(wish: &Wish, targets: &mut Targets) {
    let folder = Sandbox::new();
    let template = folder.path("template.db");
    eprintln!("loading sessions");
    stock::sqlite(&template, &fill());
    let idle = Writer::idle({
        let path = copy(&folder, &template);
        move || writes(&path)
    });
    let mut ways = [
        Way::new("one DELETE", || by_hand(&copy(&folder, &template))),
        Way::new("caretaker privacy apply", || caretaker(&copy(&folder, &template))),
    ];
    race(&mut ways, wish.rounds);
    print(
        &format!(
            "privacy SQLite, {} of {ROWS} rows; the writer alone: p99 {:.2} ms, worst {:.1}",
            ROWS / 2,
            idle.0 * 1e3,
            idle.1 * 1e3
        ),
        &ways,
    );
    targets.add("privacy, SQLite: seconds a writer waited", Some(ways[1].of(|cost| cost.worst)), AtMost(0.2));
}

fn fill() -> String {
    format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
         CREATE TABLE sessions (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, created_at TEXT NOT NULL,
             seen INTEGER NOT NULL DEFAULT 0, data TEXT);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         INSERT INTO sessions (id, user_id, created_at, data)
             SELECT i, i % 50000, datetime('now', '-180 days', (i * 15552000 / {ROWS}) || ' seconds'),
             hex(i * 7919) || '0123456789abcdef0123456789abcdef' FROM n;
         CREATE INDEX sessions_created_at ON sessions (created_at); PRAGMA wal_checkpoint(TRUNCATE);"
    )
}

/// A file as it was filled.
fn copy(folder: &Sandbox, template: &Path) -> PathBuf {
    let path = folder.path("app.db");
    for left in ["app.db", "app.db-wal", "app.db-shm"] {
        let _ = fs::remove_file(folder.path(left));
    }
    fs::copy(template, &path).unwrap();
    path
}

fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(60)).unwrap();
    connection.pragma_update(None, "synchronous", "NORMAL").unwrap();
    connection
}

/// A new row, and a change to it.
fn writes(path: &Path) -> impl FnMut() + use<> {
    let (connection, mut id) = (open(path), None);
    move || {
        id = match id {
            None => {
                let insert = "INSERT INTO sessions (user_id, created_at) VALUES (1, datetime('now'))";
                connection.execute(insert, []).unwrap();
                Some(connection.last_insert_rowid())
            }
            Some(id) => {
                connection.execute("UPDATE sessions SET seen = seen + 1 WHERE id = ?1", [id]).unwrap();
                None
            }
        };
    }
}

fn by_hand(path: &Path) -> Cost {
    let owned = path.to_owned();
    let writer = Writer::start(move || writes(&owned));
    let start = Instant::now();
    let connection = open(path);
    connection.execute("DELETE FROM sessions WHERE created_at < datetime('now', '-90 days')", []).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let (p99, worst) = writer.end();
    Cost { seconds, longest: seconds, p99, worst, tidying: 0.0, memory: 0 }
}

fn caretaker(path: &Path) -> Cost {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!(
        "[databases.app]\nurl = 'sqlite://{}'\n\n[privacy.bench]\ndatabase = 'app'\ncaps = {{ max_fraction = 0.6 }}\n\
         [[privacy.bench.rules]]\nname = 'old'\ntable = 'sessions'\nage_column = 'created_at'\nolder_than = '90 days'\n\
         action = 'delete'\n",
        path.display()
    ));
    sandbox.caretaker(&["status"]).succeeds();
    let owned = path.to_owned();
    let writer = Writer::start(move || writes(&owned));
    let mut command = sandbox.command();
    command.args(["privacy", "apply", "bench", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null());
    let sample = measure(&(), vec![command]);
    let (longest, tidying) = disposition(&sandbox);
    let (p99, worst) = writer.end();
    Cost { seconds: sample.seconds - tidying, longest, p99, worst, tidying, memory: sample.memory }
}
