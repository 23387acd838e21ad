//! A bucket, or the way to it, that fails while a directory beside it does well: `partial`, exit code 1, and a good copy.

use std::time::{Duration, Instant};

use rstest::rstest;

use super::between::{Between, between, writes_data};
use crate::store::proxy::{Fate, Request};
use crate::support::{Outcome, Postgres, S3, Sandbox, nightly, sqlite_url};

const BIG: u32 = 150_000;

/// A job of a SQLite database into a directory and the bucket behind the proxy. Big: two parts and some.
fn scene(between: &Between, rows: u32, more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let url = sqlite_url(&sandbox.sqlite("notes.db", rows));
    let job = nightly("notes", &url, &["local", "offsite"], &format!("{more}\ncompression = 'none'"));
    sandbox.configure(&format!("{}{job}", between.store(&sandbox)));
    sandbox
}

/// The run was partial: the directory has a backup that verifies, the bucket has nothing at all.
#[track_caller]
fn assert_partial(sandbox: &Sandbox, between: &Between, run: Outcome) {
    run.exits(1).complains("partial").complains("offsite");
    let listed = sandbox.listed();
    let copies: Vec<_> = listed[0]["copies"].as_array().unwrap().iter().map(|c| (&c["store"], &c["state"])).collect();
    assert_eq!(listed[0]["state"], "partial");
    assert_eq!(copies, [(&"local".into(), &"complete".into()), (&"offsite".into(), &"missing".into())]);
    assert_eq!(sandbox.backups("notes").len(), 1);
    sandbox.caretaker(&["backup", "verify", "latest"]).succeeds().says("good").says("local");
    between.bucket.assert_empty();
}

#[rstest]
#[case::errors_500(3000, |_: &Request| Fate::Answer(500))]
#[case::errors_503_in_parts(BIG, |_: &Request| Fate::Answer(503))]
#[case::connections_cut_in_mid_part(BIG, |_: &Request| Fate::CutRequest(3_000_000))]
#[case::an_answer_lost_each_time(BIG, |_: &Request| Fate::DoneButAnswer(500))]
fn a_bucket_that_fails_costs_the_directory_nothing(#[case] rows: u32, #[case] fate: fn(&Request) -> Fate) {
    let between = between(writes_data, fate);
    let sandbox = scene(&between, rows, "");
    let run = sandbox.caretaker(&["job", "run", "nightly"]);
    assert_partial(&sandbox, &between, run);
}

#[test]
fn a_bucket_that_lies_about_the_size_is_found_out() {
    let looks = |request: &Request| request.line.starts_with("HEAD ") && request.line.contains("/data.");
    let between = between(looks, |_| Fate::ClaimLength(999));
    let sandbox = scene(&between, 3000, "");
    let run = sandbox.caretaker(&["job", "run", "nightly"]);
    assert!(run.stderr.contains("999"), "{}", run.stderr);
    assert_partial(&sandbox, &between, run);
}

#[rstest]
#[case::while_data_is_written("/data.")]
#[case::at_the_manifest("/manifest.json")]
fn a_bucket_that_stalls_is_gone_on_without(#[case] object: &'static str) {
    let between =
        between(move |request| request.line.starts_with("PUT ") && request.line.contains(object), |_| Fate::Silence);
    let sandbox = scene(&between, BIG, "stall_timeout = '8s'");
    let began = Instant::now();
    let run = sandbox.caretaker(&["job", "run", "nightly"]);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert_partial(&sandbox, &between, run);
}

#[test]
fn two_stores_that_stall_are_gone_on_without_by_the_third() {
    let between = between(writes_data, |_| Fate::Silence);
    let sandbox = Sandbox::new();
    let url = sqlite_url(&sandbox.sqlite("notes.db", BIG));
    let offsite = between.store(&sandbox).replace("request_timeout = '2s'", "request_timeout = '60s'");
    let far = offsite.replace("[stores.offsite]", "[stores.far]\nprefix = 'far/'");
    let more = "stall_timeout = '6s'\ncompression = 'none'";
    let job = nightly("notes", &url, &["far", "local", "offsite"], more);
    sandbox.configure(&format!("{offsite}{far}{job}"));
    sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("partial").complains("far").complains("offsite");
    sandbox.caretaker(&["backup", "verify", "latest"]).succeeds().says("good");
}

#[rstest]
#[case::a_wrong_key("wrong", "denied")]
#[case::no_such_bucket("missing", "does not exist")]
fn a_store_that_refuses_says_what_to_do(#[case] fault: &str, #[case] reason: &str) {
    let (sandbox, mut bucket) = (Sandbox::new(), S3::shared().bucket());
    let url = sqlite_url(&sandbox.sqlite("notes.db", 1000));
    match fault {
        "wrong" => bucket.s3.secret = "not-the-secret".to_owned(),
        _ => bucket.name.push_str("-that-nobody-made"),
    }
    let store = bucket.store("offsite", &bucket.s3.credentials_file(&sandbox.path("")));
    sandbox.configure(&format!("{store}{}", nightly("notes", &url, &["local", "offsite"], "")));
    let run = sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("partial").complains(reason);
    assert!(run.stderr.contains("hint:") && !run.stderr.contains("not-the-secret"), "{}", run.stderr);
    sandbox.caretaker(&["backup", "verify", "latest"]).succeeds().says("good");
}

#[test]
fn with_no_store_left_the_run_fails_and_leaves_nothing() {
    let between = between(writes_data, |_| Fate::Answer(500));
    let (database, sandbox) = (Postgres::shared().database(), Sandbox::new());
    database.fill("t", 30_000);
    let job = nightly("app", &database.url(), &["offsite"], "compression = 'none'");
    sandbox.configure(&format!("{}{job}", between.store(&sandbox)));
    sandbox.caretaker(&["job", "run", "nightly"]).exits(1).complains("offsite").complains("500");
    sandbox.assert_nothing_left();
    between.bucket.assert_empty();
}

#[test]
fn the_manifest_is_the_last_object_written_and_the_first_deleted() {
    let between = between(|_| false, |_| Fate::Pass);
    let sandbox = scene(&between, 1000, "retention = 'last 1'");
    sandbox.run_nightly();
    let objects = |method: &str| {
        let seen = std::mem::take(&mut *between.seen.lock().unwrap());
        let of = seen.iter().filter(|line| line.starts_with(method));
        of.map(|line| line.split(['?', ' ']).nth(1).unwrap().rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(objects("PUT ").last().unwrap(), "manifest.json");
    sandbox.run_nightly();
    assert_eq!(objects("DELETE ")[..2], ["manifest.json", "data.db"]);
    assert_eq!(between.bucket.keys().len(), 2);
}
