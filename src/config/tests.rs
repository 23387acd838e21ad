//! What is said about a configuration, as tables and as text.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use insta::assert_snapshot;

use super::load::load_texts;
use super::*;

/// A configuration that is right, for tests that add to it.
const BASE: &str = r#"
[databases.app]
url = "sqlite:///srv/app.db"
[stores.local]
kind = "local"
path = "/var/backups/caretaker"
"#;

fn env(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load_all(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Loaded, Vec<Diagnostic>> {
    load_texts(files.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect(), env(variables))
}

fn load_one(text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    load_all(&[("caretaker.toml", text)], &[])
}

/// A job on top of [`BASE`], with these lines in it.
fn job(lines: &str) -> Result<Loaded, Vec<Diagnostic>> {
    load_one(&format!(
        "[backup.nightly]\ndatabase = \"app\"\nstores = [\"local\"]\nretention = \"gfs\"\n{lines}\n{BASE}"
    ))
}

fn said(result: &Result<Loaded, Vec<Diagnostic>>) -> Vec<String> {
    let found = match result {
        Ok(loaded) => &loaded.warnings,
        Err(found) => found,
    };
    found.iter().map(|diagnostic| format!("{}: {diagnostic}", diagnostic.severity.as_str())).collect()
}

fn rendered(result: &Result<Loaded, Vec<Diagnostic>>) -> String {
    let found = match result {
        Ok(loaded) => &loaded.warnings,
        Err(found) => found,
    };
    found.iter().map(|diagnostic| diagnostic.render(false)).collect::<Vec<_>>().join("\n\n")
}

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
fn retention_is_a_preset_or_a_table_with_a_rule() {
    for (retention, expected) in [
        ("\"gfs\"", Ok("0/0/7/5/12/0 None 1 None")),
        ("\"last 10\"", Ok("10/0/0/0/0/0 None 1 None")),
        ("\"7 days\"", Ok("0/0/0/0/0/0 Some(7d) 1 None")),
        ("\"2 weeks\"", Ok("0/0/0/0/0/0 Some(2w) 1 None")),
        ("{ keep_daily = 7, min_good = 2, max_age = \"90 days\" }", Ok("0/0/7/0/0/0 None 2 Some(90d)")),
        ("{ keep_within = \"48h\" }", Ok("0/0/0/0/0/0 Some(48h) 1 None")),
        ("\"last 0\"", Err("1:13: unknown retention `last 0`")),
        ("\"forever\"", Err("1:13: unknown retention `forever`")),
        ("7", Err("1:13: expected a preset or a table")),
        ("{}", Err("1:13: this retention has no rule")),
        ("{ min_good = 3 }", Err("1:13: this retention has no rule")),
        ("{ max_age = \"30 days\" }", Ok("0/0/0/0/0/0 None 1 Some(30d)")),
        ("{ keep_daily = 7, min_good = 0 }", Err("1:42: 0 is not between 1 and 1000000")),
        ("{ keep_dayly = 7 }", Err("1:15: unknown key `keep_dayly`; did you mean `keep_daily`?")),
        ("{ keep_last = -1 }", Err("1:27: -1 is not between 0 and 1000000")),
        ("{ keep_within = \"-1 days\" }", Err("1:29: this is not a length of time")),
    ] {
        let text = format!("backup.nightly.retention = {retention}\n");
        let result = load_all(
            &[
                ("caretaker.toml", BASE),
                ("conf.d/a.toml", "[backup.nightly]\ndatabase = \"app\"\nstores = [\"local\"]\n"),
                ("conf.d/b.toml", &text),
            ],
            &[],
        );
        match (&result, expected) {
            (Ok(loaded), Ok(expected)) => {
                let r = loaded.config.backups["nightly"].retention.as_ref().unwrap();
                let within = r.keep_within.map(|span| format!("{span:#}"));
                let age = r.max_age.map(|span| format!("{span:#}"));
                let counts = [r.keep_last, r.keep_hourly, r.keep_daily, r.keep_weekly, r.keep_monthly, r.keep_yearly];
                let counts = counts.map(|count| count.to_string()).join("/");
                let shown = format!("{counts} {within:?} {} {age:?}", r.min_good).replace('"', "");
                assert_eq!(shown, expected, "{retention}");
            }
            (Err(_), Err(expected)) => {
                let (place, message) = expected.split_once(": ").unwrap();
                let column: usize = place.split_once(':').unwrap().1.parse().unwrap();
                let expected = format!("error: conf.d/b.toml:1:{}: {message}", column + "backup.nightly.".len());
                assert_eq!(said(&result), [expected], "{retention}");
            }
            _ => panic!("{retention}: {:?}", said(&result)),
        }
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
    assert_eq!(said(&load_one("[privacy.ferpa]\nx = 1\n")), ["error: caretaker.toml:1:2: unknown key `privacy`"]);
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

#[test]
fn databases_take_one_url_and_one_password() {
    for (lines, expected) in [
        (
            "url = \"sqlite:///x\"\nurl_env = \"X\"",
            "error: caretaker.toml:3:11: `url` and `url_env` exclude each other",
        ),
        (
            "url = \"mysql://h/d\"",
            "error: caretaker.toml:2:7: `mysql` is not a kind of database Caretaker looks after: use `postgres://` or `sqlite://`",
        ),
        (
            "url = \"app\"",
            "error: caretaker.toml:2:7: this is not a URL: it has no scheme such as `postgres://` or `sqlite://`",
        ),
        ("url_env = \"X\"", "error: caretaker.toml:2:11: the environment variable X is not set"),
        (
            "url_env = \"postgres://u:pw@h/d\"",
            "error: caretaker.toml:2:11: expected the name of an environment variable",
        ),
        (
            "url_file = \"/nonexistent/url\"",
            "error: caretaker.toml:2:12: cannot read /nonexistent/url: No such file or directory (os error 2)",
        ),
        (
            "url = \"sqlite:///x\"\npassword_file = \"/p\"",
            "error: caretaker.toml:1:1: a SQLite database has no password",
        ),
        ("url = \"sqlite:///x\"\nmax_connections = 1", "error: caretaker.toml:3:19: 1 is not between 2 and 10000"),
        (
            "url = \"postgres://u@/d\"\ncredential = \"a/b\"",
            "error: caretaker.toml:3:14: a credential is named, without a path",
        ),
        (
            "url = \"postgres://u@/d\"\ncredential = \"a\"\npassword_file = \"/p\"",
            "error: caretaker.toml:3:14: `password_file` and `credential` exclude each other",
        ),
        (
            "url = \"postgres://u@/d\"\npassword = \"hunter2\"",
            "error: caretaker.toml:3:12: passwords do not stand in the configuration",
        ),
        ("url = \"postgres://u@/d\"\npassword_file = \"p\"", "error: caretaker.toml:3:17: `p` is not an absolute path"),
    ] {
        assert_eq!(said(&load_one(&format!("[databases.app]\n{lines}\n"))), [expected], "{lines}");
    }
}

#[test]
fn stores_are_checked_and_two_are_never_the_same_place() {
    let s3 = "kind = \"s3\"\nbucket = \"b\"\n";
    for (lines, expected) in [
        ("endpoint = \"s3.example.net\"", "this is not the address of a service"),
        ("endpoint = \"https://h/path\"", "this is not the address of a service"),
        ("part_size = \"1MiB\"", "this is not between 5 MiB and 5120 MiB"),
        ("part_size = \"8 potatoes\"", "this is not a size"),
        ("profile = \"scaleway\"\nmax_parts = 2000", "2000 is not between 1 and 1000"),
        ("prefix = \"/x\"", "a prefix is a folder in the bucket"),
        ("kms_key_id = \"k\"", "`kms_key_id` needs `server_side_encryption = \"aws:kms\"`"),
        ("storage_class = \"standard\"", "storage classes are written in capitals: `STANDARD`"),
        ("path = \"/x\"", "unknown key `path`; did you mean `path_style`?"),
    ] {
        let said = said(&load_one(&format!("[stores.s]\n{s3}{lines}\n")));
        assert!(said.len() == 1 && said[0].ends_with(expected), "{lines}: {said:?}");
    }
    let twins = "[stores.a]\nkind = \"local\"\npath = \"/b\"\n[stores.b]\nkind = \"local\"\npath = \"/b\"\n";
    assert_eq!(said(&load_one(twins)), ["error: caretaker.toml:4:1: the stores `a` and `b` are the same place"]);
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let config = job("").unwrap().config;
    let job = &config.backups["nightly"];
    assert_eq!(
        (job.compression, job.fingerprint, job.check),
        (Compression::Zstd(3), FingerprintLevel::Hash, SqliteCheck::Quick)
    );
    assert_eq!((job.timeout.as_secs(), job.stall_timeout.as_secs(), job.retries), (6 * 3600, 600, None));
    assert_eq!((job.catch_up, job.timezone.iana_name()), (CatchUp::Once, Some("UTC")));
    assert_eq!((config.daemon.max_concurrent_runs, config.daemon.drain_timeout.as_secs()), (2, 90));
    assert!(config.daemon.state_dir.is_absolute() && config.daemon.state_dir.ends_with("caretaker-state"));
    // A command in a shell means the state that the unit's daemon works with.
    let system = load_all(&[("/etc/caretaker/caretaker.toml", BASE)], &[]).unwrap().config;
    assert_eq!(system.daemon.state_dir.to_str(), Some("/var/lib/caretaker"));
    let text = "[stores.s]\nkind = \"s3\"\nbucket = \"b\"\nprefix = \"p\"\nendpoint = \"https://h:9000/\"\n";
    let config = load_one(text).unwrap().config;
    let StoreKind::S3(s3) = &config.stores.values().next().unwrap().kind else { panic!() };
    assert_eq!((s3.prefix.as_str(), s3.endpoint.as_deref()), ("p/", Some("https://h:9000")));
    assert_eq!(
        (s3.path_style, s3.profile, s3.part_size, s3.max_parts, s3.concurrency),
        (true, S3Profile::Generic, 8 << 20, 10_000, 4)
    );
}

#[test]
fn later_files_and_then_variables_replace_values_and_merge_tables() {
    let main = format!(
        "[backup.my-job]\ndatabase = \"app\"\nstores = [\"local\"]\nretries = 1\ntimeout = \"1h\"\nretention = \"gfs\"\n{BASE}"
    );
    let files = [
        ("caretaker.toml", main.as_str()),
        ("conf.d/10.toml", "[backup.my-job]\ntimeout = \"2h\"\nretention = { keep_last = 3 }\n"),
        (
            "conf.d/20.toml",
            "[backup.my-job.retention]\nkeep_daily = 4\n[stores.second]\nkind = \"local\"\npath = \"/second\"\n",
        ),
    ];
    let variables = [
        ("CARETAKER__BACKUP__MY_JOB__RETRIES", "7"),
        ("CARETAKER__BACKUP__MY_JOB__STORES", "local, second"),
        ("CARETAKER__DAEMON__MAX_CONCURRENT_RUNS", "9"),
        ("CARETAKER_TEST_PG_URL", "is not ours"),
        ("STATE_DIRECTORY", "/var/lib/caretaker:/var/lib/other"),
    ];
    let loaded = load_all(&files, &variables).unwrap();
    let job = &loaded.config.backups["my-job"];
    let retention = job.retention.as_ref().unwrap();
    assert_eq!((job.timeout.as_secs(), job.retries, job.stores.len()), (7200, Some(7), 2));
    assert_eq!((retention.keep_last, retention.keep_daily, retention.keep_weekly), (3, 4, 0));
    assert_eq!(loaded.config.daemon.max_concurrent_runs, 9);
    assert_eq!(loaded.config.daemon.state_dir.to_str(), Some("/var/lib/caretaker"));
    assert_snapshot!(loaded.show().to_toml(), @r##"
    [daemon]
    state_dir = "/var/lib/caretaker"                    # STATE_DIRECTORY
    timezone = "UTC"                                    # default
    environment = "production"                          # default
    max_concurrent_runs = 9                             # CARETAKER__DAEMON__MAX_CONCURRENT_RUNS
    drain_timeout = "90s"                               # default

    [databases.app]
    url = "sqlite:///srv/app.db"                        # caretaker.toml:9
    max_connections = 5                                 # default

    [stores.local]
    kind = "local"                                      # caretaker.toml:11
    path = "/var/backups/caretaker"                     # caretaker.toml:12

    [stores.second]
    kind = "local"                                      # conf.d/20.toml:4
    path = "/second"                                    # conf.d/20.toml:5

    [backup.my-job]
    database = "app"                                    # caretaker.toml:2
    stores = ["local", "second"]                        # CARETAKER__BACKUP__MY_JOB__STORES
    compression = "zstd:3"                              # default
    fingerprint = "hash"                                # default
    check = "quick"                                     # default
    timeout = "2h"                                      # conf.d/10.toml:2
    stall_timeout = "10m"                               # default
    retries = 7                                         # CARETAKER__BACKUP__MY_JOB__RETRIES
    catch_up = "once"                                   # default

    [backup.my-job.retention]
    keep_last = 3                                       # conf.d/10.toml:3
    keep_daily = 4                                      # conf.d/20.toml:2
    min_good = 1                                        # default

    [alerts]
    enter_after = 2                                     # default
    leave_after = 2                                     # default
    group_wait = "30s"                                  # default
    group_interval = "5m"                               # default
    remind_after = "4h"                                 # default
    expire_after = "3 days"                             # default
    "##);
    assert_eq!(loaded.show().to_json()["backup"]["my-job"]["retries"]["origin"], "CARETAKER__BACKUP__MY_JOB__RETRIES");
}

#[test]
fn what_is_wrong_in_a_variable_names_the_variable() {
    let variables = [
        ("CARETAKER__BACKUP__NIGHTLY__RETRIES", "many"),
        ("CARETAKER__BACKUP__NIGHTLY__SHEDULE", "0 2 * * *"),
        ("CARETAKER__BACKUP__NIGHTLY__STORES", "local,locla"),
        ("CARETAKER__DATABASES__APP__PASSWORD", "two words"),
        ("CARETAKER__STORES__LOCAL__KIND", "lokal"),
    ];
    let text = format!("[backup.nightly]\ndatabase = \"app\"\nstores = [\"local\"]\nretention = \"gfs\"\n{BASE}");
    assert_snapshot!(rendered(&load_all(&[("caretaker.toml", &text)], &variables)), @r##"
    error: passwords do not stand in the configuration
     |
     | CARETAKER__DATABASES__APP__PASSWORD=[redacted]
     |                                     ^^^^^^^^^^
     |
     = note: this is an environment variable
     = help: write it into a file only Caretaker can read, and name it: `password_file = "/etc/caretaker/credentials/…"`

    error: unknown value `lokal`; did you mean `local`?
     |
     | CARETAKER__STORES__LOCAL__KIND=lokal
     |                                ^^^^^
     |
     = note: this is an environment variable
     = help: it can be `local`, `s3`

    error: unknown store `locla`; did you mean `local`?
     |
     | CARETAKER__BACKUP__NIGHTLY__STORES=local,locla
     |                                    ^^^^^^^^^^^
     |
     = note: this is an environment variable

    error: expected a whole number, found a string
     |
     | CARETAKER__BACKUP__NIGHTLY__RETRIES=many
     |                                     ^^^^
     |
     = note: this is an environment variable

    error: unknown key `shedule`; did you mean `schedule`?
     |
     | CARETAKER__BACKUP__NIGHTLY__SHEDULE=0 2 * * *
     | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
     |
     = note: this is an environment variable
    "##);
}

#[test]
fn doubtful_settings_are_warned_about() {
    let text = r#"[daemon]
state_dir = "/var/lib/caretaker"
[databases.app]
url = "postgres://app:hunter2@db.example.net/app?statement_cache_size=0"
[databases.idle]
url = "postgres://app@localhost/idle"
[stores.inside]
kind = "local"
path = "/var/lib/caretaker/backups"
[stores.cold]
kind = "s3"
bucket = "b"
endpoint = "http://s3.example.net"
storage_class = "DEEP_ARCHIVE"
[backup.nightly]
database = "app"
stores = ["inside", "cold"]
"#;
    assert_snapshot!(said(&load_one(text)).join("\n"), @r##"
    warning: caretaker.toml:4:7: Caretaker does not know the URL's `statement_cache_size`, and ignores it
    warning: caretaker.toml:4:7: there is a password in this URL
    warning: caretaker.toml:4:7: with sslmode=prefer the server's identity is not checked
    warning: caretaker.toml:13:12: backups travel to this store without TLS
    warning: caretaker.toml:14:17: objects of class DEEP_ARCHIVE cannot be read at once, so backups there cannot be verified
    warning: caretaker.toml:15:1: backup.nightly has no `retention`, so it keeps all backups for ever
    warning: no job backs up the database `idle`
    warning: the store `inside` is inside the state directory
    "##);
}

#[test]
fn secrets_are_never_shown() {
    let text = r#"
[databases.a]
url = "postgres://u:hunter2@h/db?sslmode=verify-full"
[databases.b]
url = "postgres://h/db?user=u&password=hunter2&nonsense=1"
[databases.c]
url_env = "C"
[databases.d]
url = "postgres://u:hunter2@h:port/db"
shedule = 1
"#;
    let good = text.split("[databases.d]").next().unwrap();
    let variables = [("C", "postgres://u:hunter2@h/db"), ("CARETAKER__DATABASES__A__CREDENTIAL", "x")];
    let loaded = load_all(&[("caretaker.toml", good)], &variables[..1]).unwrap();
    let bad = load_all(&[("caretaker.toml", text)], &variables).unwrap_err();
    let warnings = loaded.warnings.iter().chain(&bad);
    let spoken: String = warnings.map(|d| format!("{d}\n{}\n{}\n{d:?}", d.render(true), d.to_json())).collect();
    let shown = format!("{spoken}{loaded:?}{}{}", loaded.show().to_toml(), loaded.show().to_json());
    assert!(shown.contains("[redacted]") && bad.len() >= 4);
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_is_shown_can_be_loaded_again() {
    for text in [include_str!("../../config/caretaker.toml"), include_str!("../../config/examples/encrypted.toml")] {
        let first = load_one(text).unwrap();
        let again = load_one(&first.show().to_toml()).unwrap();
        let values = |loaded: &Loaded| {
            loaded.show().settings().iter().map(|s| (s.path.clone(), s.value.clone())).collect::<Vec<_>>()
        };
        assert_eq!(values(&first), values(&again));
    }
}

#[test]
fn relative_paths_are_relative_to_the_file_that_says_them() {
    let text = "[stores.s]\nkind = \"local\"\npath = \"./backups\"\n[databases.a]\nurl = \"sqlite:notes.db\"\n[databases.b]\nurl = \"sqlite+aiosqlite:///notes.db\"\n";
    let config = load_all(&[("/etc/x/caretaker.toml", text)], &[]).unwrap().config;
    let StoreKind::Local(store) = &config.stores.values().next().unwrap().kind else { panic!() };
    assert_eq!(store.path.to_str(), Some("/etc/x/backups"));
    for database in config.databases.values() {
        let DatabaseKind::Sqlite(target) = &database.kind else { panic!() };
        assert_eq!(target.path.to_str(), Some("/etc/x/notes.db"));
    }
}

#[test]
fn a_diagnostic_for_programs_says_the_same() {
    let found = job("retries = \"2\"").unwrap_err();
    assert_eq!(
        found[0].to_json(),
        serde_json::json!({
            "severity": "error", "message": "expected a whole number, found a string", "file": "caretaker.toml",
            "line": 5, "column": 11, "snippet": "retries = \"2\"", "help": "write it without quotes",
        })
    );
}

#[test]
fn what_health_compares_with_is_a_folder_or_a_name_and_the_console_is_pgbouncers() {
    let health = |lines: &str| load_one(&format!("[health.app]\ndatabase = \"app\"\n{lines}\n{BASE}"));
    let fine = health(
        "migrations = { dir = \"/srv/app/migrations\", expected = \"7\" }
         pgbouncer = { url = \"postgres://stats@127.0.0.1:6432/pgbouncer\", password_file = \"/nowhere\" }",
    )
    .unwrap();
    let job = &fine.config.health["app"];
    let expected = Migrations { dir: Some("/srv/app/migrations".into()), expected: Some("7".to_owned()) };
    assert_eq!(job.migrations, Some(expected));
    assert_eq!(job.pgbouncer.as_ref().unwrap().hosts, [("127.0.0.1".to_owned(), 6432)]);
    for (lines, error) in [
        ("migrations = {}", "this says nothing"),
        ("migrations = { dri = \"/x\" }", "unknown key `dri`; did you mean `dir`?"),
        ("pgbouncer = { url = \"postgres://stats@127.0.0.1:6432/app\" }", "not that of PgBouncer's admin console"),
        ("pgbouncer = {}", "needs one of `url`"),
    ] {
        let said = said(&health(lines));
        assert!(said.iter().any(|line| line.contains(error)), "{lines}: {said:?}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    /// Whatever is done to a file, there is an answer, and its places are in the file.
    #[test]
    fn a_damaged_file_never_breaks_the_reading(
        cuts in proptest::collection::vec((0.0..1.0f64, 0usize..30, "[\\[\\]{}\"'=.,#\n\r a1ü:@/]{0,3}"), 1..6)
    ) {
        let mut text: Vec<char> = include_str!("../../config/examples/postgres-local-and-s3.toml").chars().collect();
        for (place, length, inserted) in cuts {
            let start = (place * text.len() as f64) as usize;
            let end = (start + length).min(text.len());
            text.splice(start..end, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        let result = load_one(&text);
        let found = result.map_or_else(|found| found, |loaded| loaded.warnings);
        for diagnostic in found {
            diagnostic.render(true);
            if let Some(Place::Text { line, column, excerpt, .. }) = &diagnostic.place {
                let columns = text.split('\n').nth(line - 1).unwrap().chars().count();
                assert!(*column <= columns + 1, "{diagnostic}");
                assert!(excerpt.text.get(excerpt.span.clone()).is_some(), "{diagnostic}");
            }
        }
    }
}
