//! pg_dump in all its moods.

use std::process::Command;
use std::time::{Duration, Instant};

use rstest::rstest;

use crate::support::{Database, Postgres, S3, Sandbox, Tools, nightly, patient, run, stock};

struct Scene {
    sandbox: Sandbox,
    database: Database,
    bucket: crate::support::Bucket,
    tools: Tools,
}

/// A job of a database of some 6 MiB into a directory and a bucket.
fn scene(more: &str) -> Scene {
    let (sandbox, database, bucket) = (Sandbox::new(), Postgres::shared().database(), S3::shared().bucket());
    database.fill("t", 20_000);
    let tools = Tools::new(&sandbox);
    let store = bucket.store("offsite", &bucket.s3.credentials_file(&sandbox.path("")));
    let job = nightly("app", &database.url(), &["local", "offsite"], more);
    sandbox.configure_daemon(&tools.setting(), &format!("{store}part_size = '5MiB'\n{job}"));
    Scene { sandbox, database, bucket, tools }
}

impl Scene {
    #[track_caller]
    fn assert_nothing_left(&self) {
        self.sandbox.assert_nothing_left();
        self.bucket.assert_empty();
    }
}

#[rstest]
#[case::it_says_why_and_ends_with_1("echo 'pg_dump: error: the moon is full' >&2; exit 1", "the moon is full")]
#[case::it_fails_after_all_bytes("\"$real\" \"$@\"; echo 'pg_dump: error: too late' >&2; exit 1", "too late")]
#[case::it_fails_in_the_middle(
    "\"$real\" \"$@\" | head -c 4000000; echo 'pg_dump: error: lost in the middle' >&2; exit 3",
    "lost in the middle"
)]
#[case::it_is_killed_in_the_middle("\"$real\" \"$@\" | head -c 4000000; kill -KILL $$", "killed")]
#[case::it_says_that_all_is_well_and_gives_nothing(
    "echo 'pg_dump: error: cannot' >&2; exit 0",
    "pg_dump: error: cannot"
)]
#[case::it_gives_something_else("echo '-- PostgreSQL database dump'; exit 0", "no archive")]
fn a_dump_that_did_not_succeed_is_no_backup(#[case] script: &str, #[case] reason: &str) {
    let scene = scene("");
    scene.tools.replace("pg_dump", script);
    scene.sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("pg_dump").complains(reason);
    scene.assert_nothing_left();
}

#[test]
fn a_dump_that_ends_early_and_claims_success_is_kept_but_never_taken_for_a_good_one() {
    let scene = scene("retention = 'last 1'");
    let good = scene.sandbox.run_nightly();
    scene.tools.replace("pg_dump", "\"$real\" \"$@\" | head -c 4000000; exit 0");
    scene.sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("damaged").complains("ends before");
    let listed = scene.sandbox.listed();
    assert_eq!((listed.len(), &listed[0]["verified"]), (2, &"bad".into()));
    assert!(good.join("manifest.json").exists());
    let target = scene.database.server().database();
    let latest = ["--format", "json", "restore", "latest", "--database", "app", "--into", &target.url(), "--yes"];
    let said = scene.sandbox.caretaker(&latest).succeeds().json();
    assert_eq!(said["plan"]["backup"], good.file_name().unwrap().to_str().unwrap());
}

#[test]
fn what_it_says_on_its_way_to_success_is_a_warning() {
    let scene = scene("");
    scene.tools.replace("pg_dump", "\"$real\" \"$@\"; echo 'pg_dump: error: only said so' >&2; exit 0");
    let folder = scene.sandbox.run_nightly();
    assert!(Sandbox::manifest(&folder)["warnings"].to_string().contains("only said so"));
    assert!(stock::list_dump(&folder.join("data.dump.zst")).contains("TABLE DATA public t "));
}

#[rstest]
#[case::before_its_first_byte("sleep 600")]
#[case::in_the_middle("\"$real\" \"$@\" | { head -c 3000000; sleep 600; }")]
fn a_dump_that_hangs_is_ended_with_all_its_children(#[case] script: &str) {
    let scene = scene("stall_timeout = '3s'");
    // No other test's sleep is so long.
    let mark = format!("6{:09}", jiff::Timestamp::now().subsec_nanosecond());
    scene.tools.replace("pg_dump", &script.replace("600", &mark));
    let began = Instant::now();
    scene.sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("no progress for 3s").complains("dump");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    scene.assert_nothing_left();
    let sleeping = run(Command::new("pgrep").args(["-f", &format!("sleep {mark}")]), b"", patient());
    assert_eq!(sleeping.stdout, "", "its children still run");
    let sessions =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_eq!(scene.database.sql(sessions), "0\n");
}

#[test]
fn the_timeout_ends_what_still_moves() {
    let scene = scene("timeout = '3s'");
    scene.tools.replace("pg_dump", "\"$real\" \"$@\"; while echo more; do sleep 0.1; done");
    scene.sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("longer than its timeout of 3s");
    scene.assert_nothing_left();
}

#[test]
fn a_killed_dump_is_tried_again_and_a_refusing_one_is_not() {
    let scene = scene("");
    let once = "if [ -e \"$here/tried\" ]; then exec \"$real\" \"$@\"; fi; touch \"$here/tried\"; kill -KILL $$";
    scene.tools.replace("pg_dump", once);
    scene.sandbox.caretaker(&["job", "run", "nightly", "--retries", "1"]).succeeds();
    assert_eq!(scene.tools.calls("pg_dump"), 2);

    scene.tools.replace("pg_dump", "echo 'pg_dump: error: permission denied for table t' >&2; exit 1");
    scene.sandbox.caretaker(&["job", "run", "nightly", "--retries", "3"]).exits(1).complains("pg_read_all_data");
    assert_eq!(scene.tools.calls("pg_dump"), 3);
}

#[test]
fn an_older_client_is_passed_over_for_the_servers_own() {
    let scene = scene("");
    scene.tools.pretend("pg_dump", "9.6.24", "exit 1");
    let folder = scene.sandbox.run_nightly();
    assert_eq!(scene.tools.calls("pg_dump"), 0);
    let used = Sandbox::manifest(&folder)["tools"]["pg_dump"].to_string();
    assert!(!used.contains("9.6"), "{used}");
}

#[test]
fn with_only_older_clients_it_says_what_it_looked_for_and_where() {
    let scene = scene("");
    scene.tools.pretend("pg_dump", "9.6.24", "exit 1");
    // A machine on which the packages' folders are empty.
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", "mount -t tmpfs none /usr/lib/postgresql && exec \"$@\"", "sh"]);
    let caretaker = scene.sandbox.command();
    command.arg(caretaker.get_program()).args(caretaker.get_args()).args(["job", "run", "nightly"]);
    scene.sandbox.clean(&mut command);
    let said = run(&mut command, b"", Duration::from_secs(60)).exits(1);
    assert!(said.stderr.contains("no pg_dump of version 1") && said.stderr.contains("version 9"), "{}", said.stderr);
    assert!(said.stderr.contains("postgresql-client-"), "{}", said.stderr);
    scene.assert_nothing_left();
}
