//! checkpoints

use caretaker::state::Sample;
use jiff::SignedDuration;

use super::watch::{Says as _, Watch};
use crate::support::OwnPostgres;

#[test]
fn checkpoints_that_are_forced_are_a_share_of_the_last_hours() {
    let server = OwnPostgres::start_with(&["checkpoint_timeout = 1h"]);
    let mut watch = Watch::new("checkpoints", &server.url("postgres"), "warning = 0.5\ncritical = 0.9");
    let force = |times: usize| {
        for _ in 0..times {
            server.sql("postgres", "CHECKPOINT");
        }
        let seen = "SELECT pg_stat_clear_snapshot(), checkpoints_req > 0 FROM pg_stat_bgwriter";
        server.sql("postgres", seen);
    };
    watch.not_applicable().says("first look");
    watch.pass(SignedDuration::from_mins(5));
    watch.ok();
    // A few by hand are no pattern.
    force(2);
    watch.pass(SignedDuration::from_mins(5));
    watch.ok();
    force(8);
    watch.pass(SignedDuration::from_mins(5));
    watch.critical().says("were forced").says("max_wal_size");
    // As many came by themselves: what the first look has seen is set back by so many.
    let first = watch.now() - SignedDuration::from_mins(16);
    let sample = Sample { metric: "checkpoints_timed".to_owned(), object: String::new(), at: first, value: -8.0 };
    watch.wait(watch.state().record_samples("app", &[sample])).unwrap();
    watch.pass(SignedDuration::from_mins(5));
    watch.warns();
    watch.pass(SignedDuration::from_hours(2));
    watch.not_applicable();
    watch.pass(SignedDuration::from_mins(5));
    watch.ok();
}
