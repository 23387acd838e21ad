//! Files, then variables.

use super::*;

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
