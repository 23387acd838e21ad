//! SQLite: the copy that is checked, compressed and stored, against a copy that is compressed.

use std::fs;
use std::io::BufWriter;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Wish;
use super::contest::{Contestant, contest};
use super::data::TABLES;
use super::measure::{Sample, measure};
use super::postgres::bytes_in;
use super::support::{Sandbox, stock};
use super::target::Bound::AtLeast;
use super::target::Targets;

const PEER: &str = "sqlite3 .backup, then zstd -3 -T0";
const OURS: [&str; 3] = ["caretaker SQLite, none", "caretaker SQLite, counts", "caretaker SQLite, hash"];
const LEVELS: [&str; 3] = ["none", "counts", "hash"];

/// Runs everybody and judges.
pub fn run(wish: &Wish, targets: &mut Targets) {
    if !OURS.iter().chain([&PEER]).any(|name| wish.wants(name)) {
        return;
    }
    let sandbox = Sandbox::new();
    let source = sandbox.path("app.db");
    fill(&source, wish.bytes / 2);
    let bytes = fs::metadata(&source).unwrap().len();
    println!("\nSQLite, a file of {:.0} MB", bytes as f64 / 1e6);

    let mut contestants = vec![Contestant { name: PEER, run: Box::new(|| peer(&source)) }];
    for (name, level) in OURS.into_iter().zip(LEVELS) {
        let source = &source;
        contestants.push(Contestant { name, run: Box::new(move || caretaker(source, level)) });
    }
    let found = contest(&wish.choose(contestants), wish.rounds);
    found.print(bytes);
    let what = "SQLite: speed, Caretaker with quick check / .backup, then zstd";
    targets.add(what, found.speed(OURS[0], PEER), AtLeast(0.9));
}

/// A database in WAL mode, as applications have it.
fn fill(path: &Path, bytes: u64) {
    stock::sqlite(path, "PRAGMA journal_mode = WAL");
    for table in &TABLES {
        eprintln!("loading {}", table.name);
        stock::sqlite(path, &in_sqlites_types(table.create));
        let mut command = Command::new("sqlite3");
        command.args(["-batch", "-bail", "-cmd", "PRAGMA synchronous = OFF", "-cmd", ".mode tabs"]).arg(path);
        command.arg(format!(".import /dev/stdin {}", table.name));
        let mut importer = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut input = BufWriter::with_capacity(1 << 20, importer.stdin.take().unwrap());
        table.write(bytes * table.percent / 100, &mut input).unwrap();
        drop(input.into_inner().unwrap());
        assert!(importer.wait().unwrap().success(), "{} is not loaded", table.name);
        for index in table.indexes {
            stock::sqlite(path, index);
        }
    }
    stock::sqlite(path, "PRAGMA wal_checkpoint(TRUNCATE)");
}

/// Names of types decide how SQLite keeps and checks values: these are what applications' libraries write.
fn in_sqlites_types(create: &str) -> String {
    create.replace("uuid", "char(36)").replace("jsonb", "text").replace("timestamptz", "datetime")
}

fn peer(source: &Path) -> Sample {
    let sandbox = Sandbox::new();
    let mut command = Command::new("sh");
    let script = r#"sqlite3 "$1" ".backup '$2'" && exec zstd -3 -T0 -q "$2" -o "$2.zst""#;
    command.args(["-ec", script, "peer"]).arg(source).arg(sandbox.path("copy.db"));
    let sample = measure(&(), vec![command]);
    Sample { stored: fs::metadata(sandbox.path("copy.db.zst")).unwrap().len(), ..sample }
}

fn caretaker(source: &Path, level: &str) -> Sample {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!(
        "[databases.app]\nurl = 'sqlite://{}'\n\n[backup.bench]\ndatabase = 'app'\nstores = ['local']\n\
         fingerprint = '{level}'\ncheck = 'quick'\n",
        source.display(),
    ));
    sandbox.caretaker(&["status"]).succeeds();
    let mut command = sandbox.command();
    command.args(["job", "run", "bench"]).stdout(Stdio::null());
    let sample = measure(&(), vec![command]);
    Sample { stored: bytes_in(&sandbox.backups("app")[0]), ..sample }
}
