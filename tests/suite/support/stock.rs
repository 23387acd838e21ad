//! The tools an operator has without Caretaker: what they cannot read is not a backup.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::outcome::{Outcome, run};

/// Long enough for a few gigabytes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(300);

/// Runs a shell pipeline that fails if any part of it does; `$1`, `$2`, … are the arguments.
#[track_caller]
pub fn shell(script: &str, arguments: &[&Path]) -> Outcome {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script, "stock"]).args(arguments);
    run(&mut command, b"", DEADLINE)
}

/// What `pg_restore -l` lists of a compressed archive. It stops reading where its list ends, which is no fault of what
/// writes into the pipe.
#[track_caller]
pub fn list_dump(archive: &Path) -> String {
    let script = match archive.extension().and_then(|extension| extension.to_str()) {
        Some("zst") => r#"zstd -dcq "$1" | { pg_restore -l && cat >/dev/null; }"#,
        Some("gz") => r#"gunzip -c "$1" | { pg_restore -l && cat >/dev/null; }"#,
        _ => r#"pg_restore -l <"$1""#,
    };
    shell(script, &[archive]).succeeds().stdout
}

/// Decompresses a file by its extension into another.
#[track_caller]
pub fn decompress(from: &Path, to: &Path) {
    let script = match from.extension().and_then(|extension| extension.to_str()) {
        Some("zst") => r#"zstd -dcq "$1" >"$2""#,
        Some("gz") => r#"gunzip -c "$1" >"$2""#,
        _ => r#"cat "$1" >"$2""#,
    };
    shell(script, &[from, to]).succeeds();
}

/// Runs statements on a SQLite database with the `sqlite3` program; makes the file if it is not there.
#[track_caller]
pub fn sqlite(path: &Path, sql: &str) -> String {
    let mut command = Command::new("sqlite3");
    command.args(["-batch", "-bail"]).arg(path);
    // Through standard input: a script may be longer than an argument.
    let script = format!(".timeout 30000\n{sql}\n");
    run(&mut command, script.as_bytes(), DEADLINE).succeeds().stdout
}

/// SHA-256 of a file as `sha256sum` says it.
#[track_caller]
pub fn sha256(path: &Path) -> String {
    let said = shell(r#"sha256sum <"$1""#, &[path]).succeeds().stdout;
    said.split_whitespace().next().unwrap().to_owned()
}
