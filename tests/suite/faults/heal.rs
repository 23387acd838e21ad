//! A copy that is missing is made from a good one, never by another dump.

use std::time::Duration;

use super::between::{Between, between, writes_data};
use crate::store::proxy::{Fate, Request};
use crate::support::{Database, Postgres, Sandbox, Tools, flip, nightly, until};

struct Scene {
    sandbox: Sandbox,
    between: Between,
    tools: Tools,
    _database: Database,
}

/// A job of a PostgreSQL database into a directory and a bucket that is broken.
fn scene(fate: fn(&Request) -> Fate, more: &str) -> Scene {
    let (between, sandbox, database) = (between(writes_data, fate), Sandbox::new(), Postgres::shared().database());
    database.fill("t", 30_000);
    let tools = Tools::new(&sandbox);
    let job = nightly("app", &database.url(), &["local", "offsite"], &format!("compression = 'none'\n{more}"));
    sandbox.configure_daemon(&tools.setting(), &format!("{}{job}", between.store(&sandbox)));
    Scene { sandbox, between, tools, _database: database }
}

impl Scene {
    fn states(&self) -> Vec<String> {
        self.sandbox.listed().iter().map(|backup| backup["state"].as_str().unwrap().to_owned()).collect()
    }

    /// Both copies of every backup verify.
    #[track_caller]
    fn assert_all_good(&self) {
        for backup in self.sandbox.listed() {
            let said = self.sandbox.json(&["backup", "verify", backup["id"].as_str().unwrap()]);
            assert_eq!(said["copies"].as_array().unwrap().len(), 2, "{said:#}");
        }
    }
}

#[test]
fn the_next_attempt_copies_from_the_good_store_instead_of_dumping_again() {
    let scene = scene(|_| Fate::Answer(500), "");
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| scene.sandbox.caretaker(&["job", "run", "nightly", "--retries", "3"]));
        until("the first attempt to be partial", Duration::from_secs(60), || {
            scene.sandbox.json(&["job", "history"]).as_array().unwrap().iter().any(|run| run["state"] == "partial")
        });
        scene.between.mend();
        run.join().unwrap()
    });
    run.succeeds().says("the missing copy was made in offsite");
    assert_eq!(scene.tools.calls("pg_dump"), 1);
    assert_eq!(scene.states(), ["complete"]);
    scene.assert_all_good();
}

#[test]
fn the_next_run_completes_what_earlier_ones_could_not_store() {
    let scene = scene(|_| Fate::Answer(500), "retention = 'last 5'");
    for _ in 0..2 {
        scene.sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("partial");
    }
    scene.between.mend();
    scene.sandbox.run_nightly();
    assert_eq!(scene.states(), ["complete"; 3]);
    assert_eq!(scene.tools.calls("pg_dump"), 3);
    scene.assert_all_good();
}

#[test]
fn what_retention_would_not_keep_is_not_copied() {
    let scene = scene(|_| Fate::Answer(500), "retention = 'last 1'");
    for _ in 0..2 {
        scene.sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("partial");
    }
    let oldest = scene.sandbox.listed()[1]["id"].as_str().unwrap().to_owned();
    scene.between.mend();
    scene.between.seen.lock().unwrap().clear();
    scene.sandbox.run_nightly();
    let seen = scene.between.seen.lock().unwrap().clone();
    assert!(!seen.iter().any(|line| line.starts_with("PUT ") && line.contains(&oldest)), "{seen:#?}");
    assert_eq!(scene.states(), ["complete"]);
}

#[test]
fn a_store_that_stalls_while_it_is_completed_does_not_cost_the_run_its_new_backup() {
    let scene = scene(|_| Fate::Silence, "stall_timeout = '6s'");
    for backups in 1..=2 {
        scene.sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("partial");
        assert_eq!(scene.sandbox.backups("app").len(), backups);
    }
    scene.between.bucket.assert_empty();
}

#[test]
fn a_copy_that_has_gone_bad_is_made_anew_by_the_next_run() {
    let scene = scene(|_| Fate::Pass, "");
    let folder = scene.sandbox.run_nightly();
    flip(&folder.join("data.dump"));
    scene.sandbox.caretaker(&["backup", "verify", "latest"]).exits(5).says("BAD").says("good");
    assert_eq!(scene.states(), ["partial"]);
    scene.sandbox.run_nightly();
    assert_eq!(scene.states(), ["complete", "complete"]);
    scene.assert_all_good();
}
