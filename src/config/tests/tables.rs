//! What each table may say.

use super::*;

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

#[test]
fn a_size_has_a_unit_of_powers_of_ten_or_of_two_up_to_tera() {
    for (text, bytes) in [
        ("\"1 TiB\"", 1_u64 << 40),
        ("\"2TB\"", 2_000_000_000_000),
        ("\"3 t\"", 3 << 40),
        ("\"500 MB\"", 500_000_000),
        ("\"8MiB\"", 8 << 20),
        ("4096", 4096),
    ] {
        let lines = format!("[health.app]\ndatabase = \"app\"\nchecks.wal_size.warning = {text}\n{BASE}");
        let config = load_one(&lines).unwrap().config;
        assert_eq!(config.health["app"].checks[&CheckName::WalSize].warning, Some(bytes as f64), "{text}");
    }
}
