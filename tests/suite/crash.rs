//! The daemon killed at any moment: nothing listed that cannot be restored, nothing lost that was complete, nothing left
//! behind.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Bucket, Postgres, S3, Sandbox, patient, run, until};

/// A machine whose daemon dies again and again: a database, a local store and a bucket, backups one after another.
struct Doomed {
    sandbox: Sandbox,
    bucket: Bucket,
    random: u64,
}

impl Doomed {
    fn new(sandbox: Sandbox, url: &str) -> Self {
        let bucket = S3::shared().bucket();
        let credentials = bucket.s3.credentials_file(&sandbox.path(""));
        sandbox.configure(&format!(
            "{}part_size = '5 MiB'\n\n[databases.app]\nurl = '{url}'\n\n\
             [backup.often]\ndatabase = 'app'\nschedule = '* * * * * *'\nstores = ['local', 'bucket']\n\
             compression = 'none'\nretention = 'last 4'\n",
            bucket.store("bucket", &credentials)
        ));
        let random = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
        eprintln!("random moments from seed {random}");
        Self { sandbox, bucket, random: u64::from(random) | 1 }
    }

    /// xorshift: any moments will do, as long as they differ.
    fn moment(&mut self, below: Duration) -> Duration {
        for (left, shift) in [(true, 13), (false, 7), (true, 17)] {
            self.random ^= if left { self.random << shift } else { self.random >> shift };
        }
        Duration::from_micros(self.random % u64::try_from(below.as_micros()).unwrap())
    }

    /// The backups whose manifest is in both stores, oldest first.
    fn complete_in_stores(&self) -> Vec<String> {
        let local: BTreeSet<String> = self
            .sandbox
            .backups("app")
            .iter()
            .map(|folder| folder.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        let keys = self.bucket.keys();
        local.into_iter().filter(|id| keys.contains(&format!("app/{id}/manifest.json"))).collect()
    }

    fn listed(&self) -> Vec<Value> {
        self.sandbox.caretaker(&["--format", "json", "backup", "list"]).succeeds().json().as_array().unwrap().clone()
    }

    /// Starts the daemon, lets it live for a moment, kills it; what was complete must still be known afterwards.
    fn die(&mut self, longest: Duration) {
        let daemon = self.sandbox.daemon();
        std::thread::sleep(self.moment(longest));
        daemon.kill();
        // Retention keeps four: two of them can be gone by the next look, so the others must be there.
        let complete = self.complete_in_stores();
        let listed: Vec<String> =
            self.listed().iter().map(|backup| backup["id"].as_str().unwrap().to_owned()).collect();
        for id in complete.iter().rev().take(2) {
            assert!(listed.contains(id), "{id} is complete in both stores and not listed: {listed:?}");
        }
    }

    /// Lets the daemon finish a run in peace, and looks at everything.
    fn settle(&self) {
        let daemon = self.sandbox.daemon();
        let succeeded = |now: &Sandbox| now.runs().iter().filter(|state| *state == "succeeded").count();
        let before = succeeded(&self.sandbox);
        until("a run in peace", Duration::from_secs(60), || succeeded(&self.sandbox) > before);
        assert!(daemon.terminate().success());

        let runs = self.sandbox.runs();
        assert!(runs.iter().any(|state| state == "interrupted"), "some kills hit a run: {runs:?}");
        assert!(!runs.iter().any(|state| state == "running"), "{runs:?}");
        // Of a job due every second there may be a slot whose turn had not come when the daemon was told to stop.
        let begun = "SELECT count(*) FROM slots s JOIN runs r USING (job, slot_ms) WHERE s.state = 'claimed';";
        assert_eq!(self.sandbox.state_sql(begun), "0\n");

        let listed = self.listed();
        let ids: BTreeSet<&str> = listed.iter().map(|backup| backup["id"].as_str().unwrap()).collect();
        assert!((1..=4).contains(&ids.len()), "{ids:?}");
        for id in &ids {
            self.sandbox.caretaker(&["backup", "verify", id]).succeeds();
        }
        for backup in &listed {
            assert_eq!(backup["state"], "complete", "{backup}");
        }
        self.has_no_leftovers(&ids);
    }

    fn has_no_leftovers(&self, ids: &BTreeSet<&str>) {
        let find = run(
            Command::new("find").arg(self.sandbox.store()).args(["-mindepth", "2", "-printf", "%P\n"]),
            b"",
            patient(),
        );
        for path in find.stdout.lines().map(str::to_owned).chain(self.bucket.keys()) {
            let mut parts = path.split('/').skip(1);
            assert!(parts.next().is_some_and(|id| ids.contains(id)), "left in a store: {path}");
            let name = parts.next().unwrap_or_default();
            assert!(
                ["", "manifest.json", "data.db", "data.dump", "globals.sql"].contains(&name),
                "left in a store: {path}"
            );
        }
        assert_eq!(self.bucket.unfinished_uploads(), [""; 0]);
        let staging = run(
            Command::new("find").arg(self.sandbox.state().join("staging")).args(["-mindepth", "1"]),
            b"",
            patient(),
        );
        assert_eq!(staging.stdout, "");
    }
}

#[test]
fn a_daemon_killed_at_any_moment_of_a_sqlite_backup_leaves_only_what_is_whole() {
    let sandbox = Sandbox::new();
    let path = sandbox.sqlite("app.db", 40_000);
    let mut doomed = Doomed::new(sandbox, &format!("sqlite://{}", path.display()));
    for _ in 0..25 {
        doomed.die(Duration::from_millis(1200));
    }
    doomed.settle();
}

#[test]
fn a_daemon_killed_at_any_moment_of_a_postgresql_backup_leaves_only_what_is_whole() {
    let database = Postgres::shared().database();
    database.sql("CREATE TABLE note AS SELECT i AS id, md5(i::text) || md5((-i)::text) AS body FROM generate_series(1, 100000) i");
    let mut doomed = Doomed::new(Sandbox::new(), &database.url());
    for _ in 0..8 {
        doomed.die(Duration::from_millis(1500));
    }
    doomed.settle();
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'caretaker%'";
    until("the sessions of the killed to be gone", patient(), || database.sql(sessions).trim() == "0");
}
