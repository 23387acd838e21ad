//! Much work: ten thousand jobs due in the same minute, and a daemon that gives back what its runs needed.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::support::{Night, patient, stock, until};

const JOBS: usize = 10_000;

#[test]
fn ten_thousand_jobs_due_at_once_are_claimed_and_begin_in_order_while_the_daemon_goes_on_answering() {
    let night = Night::new("");
    let url = format!("sqlite://{}", night.sandbox.path("notes.db").display());
    let mut tables = format!("[databases.notes]\nurl = '{url}'\n");
    for job in 0..JOBS {
        write!(
            tables,
            "\n[backup.j{job:05}]\ndatabase = 'notes'\nschedule = '0 2 * * *'\nstores = ['local']\n\
             fingerprint = 'none'\ncheck = 'none'\nretention = 'last 1'\n"
        )
        .unwrap();
    }
    night.sandbox.configure_daemon("max_concurrent_runs = 1", &tables);
    night.clock.set("2026-03-02T01:30:00Z");
    let mut daemon = night.sandbox.daemon_with(|command| {
        night.clock.give(command);
        command.env("WATCHDOG_USEC", "4000000");
    });
    eprintln!("resident with {JOBS} jobs: {} KiB", daemon.resident_kib());
    night.clock.set("2026-03-02T01:59:58Z");
    until("all to be claimed", Duration::from_secs(60), || {
        night.sandbox.state_sql("SELECT count(*) FROM slots;").trim() == JOBS.to_string()
    });
    let late = night.sandbox.state_sql("SELECT max(claimed_ms - slot_ms) FROM slots;");
    eprintln!("claimed {} ms after their time", late.trim());

    let fed = |said: &[String]| said.iter().filter(|line| *line == "WATCHDOG=1").count();
    let before = fed(&daemon.notifications());
    let start = Instant::now();
    night.caretaker(&["status"]).succeeds().says("j09999");
    eprintln!("`status` took {:?}", start.elapsed());
    daemon.wait_notified("WATCHDOG=1", before + 2);
    assert!(start.elapsed() < Duration::from_secs(20), "systemd would have killed it");

    until("the first of them", Duration::from_secs(60), || night.sandbox.runs().len() > 10);
    let begun = night.sandbox.state_lines("SELECT job FROM runs ORDER BY id LIMIT 10;");
    let expected: Vec<String> = (0..10).map(|job| format!("backup.j{job:05}")).collect();
    assert_eq!(begun, expected);
}

#[test]
fn a_daemon_holds_little_memory_when_its_runs_have_ended() {
    let night = Night::new("");
    stock::sqlite(
        &night.sandbox.path("notes.db"),
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
         INSERT INTO note (title, made, body) SELECT '', '', randomblob(1000) FROM n;",
    );
    night.configure("", "* * * * * *", "retention = 'last 1'");
    let daemon = night.sandbox.daemon();
    until("some runs", Duration::from_secs(60), || {
        night.sandbox.runs().iter().filter(|run| *run == "succeeded").count() > 4
    });
    night.configure("", "0 2 1 1 *", "retention = 'last 1'");
    night.sandbox.caretaker(&["reload"]).succeeds();
    until("rest", patient(), || !night.sandbox.runs().contains(&"running".to_owned()));
    // A debug build; a release build rests below 25 MiB.
    until("the memory to be given back", patient(), || daemon.resident_kib() < 50 * 1024);
}
