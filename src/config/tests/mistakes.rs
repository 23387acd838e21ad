//! What is wrong: named with its place, all at once.

use super::*;

#[test]
fn all_errors_are_reported_at_once_in_the_order_of_the_file() {
    let text = r#"[daemon]
timezone = "Europe/Berln"
max_concurrent_runs = "5"

[databases.app]
url = "sqlite:///srv/app.db"

[stores.local]
kind = "local"
path = "var/backups"

[backup.nightly]
shedule = "0 2 * * *"
database = "ap"
stores = ["locla"]
retention = {}

[databses.old]
url = "sqlite:///srv/old.db"
"#;
    assert_snapshot!(rendered(&load_one(text)), @r##"
    error: unknown time zone `Europe/Berln`; did you mean `Europe/Berlin`?
     --> caretaker.toml:2:12
      |
    2 | timezone = "Europe/Berln"
      |            ^^^^^^^^^^^^^^

    error: expected a whole number, found a string
     --> caretaker.toml:3:23
      |
    3 | max_concurrent_runs = "5"
      |                       ^^^
      |
      = help: write it without quotes

    error: `var/backups` is not an absolute path
      --> caretaker.toml:10:8
       |
    10 | path = "var/backups"
       |        ^^^^^^^^^^^^^
       |
       = help: write `/var/backups`, or `./var/backups` for a path relative to the folder of this file

    error: unknown key `shedule`; did you mean `schedule`?
      --> caretaker.toml:13:1
       |
    13 | shedule = "0 2 * * *"
       | ^^^^^^^

    error: unknown database `ap`; did you mean `app`?
      --> caretaker.toml:14:12
       |
    14 | database = "ap"
       |            ^^^^

    error: unknown store `locla`; did you mean `local`?
      --> caretaker.toml:15:11
       |
    15 | stores = ["locla"]
       |           ^^^^^^^

    error: this retention has no rule
      --> caretaker.toml:16:13
       |
    16 | retention = {}
       |             ^^
       |
       = help: say what stays, for instance `keep_last = 7`, or leave `retention` out to keep all

    error: unknown key `databses`; did you mean `databases`?
      --> caretaker.toml:18:2
       |
    18 | [databses.old]
       |  ^^^^^^^^
    "##);
}

/// Each wrong line in a job, and what is said about it.
#[test]
fn a_wrong_value_is_named_with_its_place() {
    for (line, expected) in [
        ("schedule = 5", "error: caretaker.toml:5:12: expected a string, found a number"),
        ("retries = 1.5", "error: caretaker.toml:5:11: expected a whole number, found a number with a fraction"),
        ("retries = \"2\"", "error: caretaker.toml:5:11: expected a whole number, found a string"),
        ("retries = -1", "error: caretaker.toml:5:11: -1 is not between 0 and 100"),
        ("retries = 99999999999999999999", "error: caretaker.toml:5:11: this number is too large"),
        ("timeout = 7200", "error: caretaker.toml:5:11: expected a string, found a number"),
        ("timeout = \"0s\"", "error: caretaker.toml:5:11: a duration must be longer than nothing"),
        ("timeout = \"-2h\"", "error: caretaker.toml:5:11: a duration must be longer than nothing"),
        ("timeout = \"soon\"", "error: caretaker.toml:5:11: this is not a duration"),
        ("timeout = \"1 month\"", "error: caretaker.toml:5:11: this is not a duration"),
        ("timeout = 02:00:00", "error: caretaker.toml:5:11: no setting takes a date or time without quotes"),
        ("compression = \"zstd:20\"", "error: caretaker.toml:5:15: the level of zstd is a number from 1 to 19"),
        ("compression = \"gzip:0\"", "error: caretaker.toml:5:15: the level of gzip is a number from 1 to 9"),
        ("compression = \"none:1\"", "error: caretaker.toml:5:15: unknown compression `none:1`; did you mean `none`?"),
        ("compression = \"zst\"", "error: caretaker.toml:5:15: unknown compression `zst`; did you mean `zstd`?"),
        ("compression = \"lz4:9\"", "error: caretaker.toml:5:15: unknown compression `lz4:9`"),
        ("fingerprint = true", "error: caretaker.toml:5:15: expected a string, found a boolean"),
        ("fingerprint = \"Hash\"", "error: caretaker.toml:5:15: unknown value `Hash`; did you mean `hash`?"),
        ("check = \"slow\"", "error: caretaker.toml:5:9: unknown value `slow`"),
        ("schedule = \"0 25 * * *\"", "error: caretaker.toml:5:15: hour: `25` is not between 0 and 23"),
        ("schedule = 'ü * * * *'", "error: caretaker.toml:5:13: minute"),
        ("schedule = \"0 2 * *\"", "error: caretaker.toml:5:12: a schedule has 5 fields"),
        ("schedule = \"0 0 31 2 *\"", "error: caretaker.toml:5:17: day of month `31` never comes"),
        ("catch_up = \"twice\"", "error: caretaker.toml:5:12: unknown value `twice`"),
        ("timezone = \"Mars\"", "error: caretaker.toml:5:12: unknown time zone `Mars`"),
        ("encrypt_to = \"age1x\"", "error: caretaker.toml:5:14: expected a list, found a string"),
        ("encrypt_to = []", "error: caretaker.toml:5:14: this encrypts to nobody"),
        ("encrypt_to = [1]", "error: caretaker.toml:5:15: expected a string, found a number"),
        ("encrypt_to = [\"ssh-ed25519 AAAA\"]", "error: caretaker.toml:5:15: this is not an age public key"),
        ("encrypt_to = [\"age1qqqq\"]", "error: caretaker.toml:5:15: this age public key is damaged"),
        ("x = { y = 1 }", "error: caretaker.toml:5:1: unknown key `x`"),
        (
            "[backup.nightly.retension]",
            "error: caretaker.toml:5:17: unknown key `retension`; did you mean `retention`?",
        ),
        (
            "stor = \"ü\"; x = 1",
            "error: caretaker.toml:5:11: this is not TOML: unexpected key or value, expected newline, `#`",
        ),
        ("\"ключ\" = 1 # ü", "error: caretaker.toml:5:1: unknown key `ключ`"),
    ] {
        let said = said(&job(line));
        assert!(said.len() == 1 && said[0].starts_with(expected), "{line}: {said:?}");
    }
}

#[test]
fn a_misspelt_required_key_is_one_error_and_a_forgotten_one_another() {
    let misspelt = load_one(&format!("{BASE}[backup.n]\ndatabse = \"app\"\nretention = \"gfs\"\n"));
    assert_eq!(
        said(&misspelt),
        [
            "error: caretaker.toml:7:1: [backup.n] needs `stores`",
            "error: caretaker.toml:8:1: unknown key `databse`; did you mean `database`?",
        ]
    );
    let stores = load_one("[stores.a]\n[stores.b]\nkind = \"s3\"\n[databases.x]\n");
    assert_eq!(
        said(&stores),
        [
            "error: caretaker.toml:1:1: [stores.a] needs `kind`",
            "error: caretaker.toml:2:1: [stores.b] needs `bucket`",
            "error: caretaker.toml:4:1: [databases.x] needs one of `url`, `url_env` and `url_file`",
        ]
    );
}

#[test]
fn tables_of_later_versions_are_unknown_keys() {
    assert_eq!(said(&load_one("[migrate.app]\nx = 1\n")), ["error: caretaker.toml:1:2: unknown key `migrate`"]);
}

#[test]
fn toml_that_is_none_is_reported_with_what_else_is_wrong() {
    let text = "[daemon\ntimezone = \"x\"\n[databases.app]\nurl = \"sqlite:///x\n[stores.s]\nkind = local\nbad = 1\n";
    assert_snapshot!(rendered(&load_one(text)), @r##"
    error: this is not TOML: unclosed table, expected `]`
     --> caretaker.toml:1:8
      |
    1 | [daemon
      |        ^

    error: this is not TOML: invalid basic string, expected `"`
     --> caretaker.toml:4:19
      |
    4 | url = "sqlite:///x
      |                   ^

    error: this is not TOML: string values must be quoted, expected literal string
     --> caretaker.toml:6:8
      |
    6 | kind = local
      |        ^^^^^

    error: unknown key `bad`
     --> caretaker.toml:7:1
      |
    7 | bad = 1
      | ^^^
      |
      = help: the keys here are `kind`, `path`
    "##);
}
