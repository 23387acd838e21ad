//! The daemon: ten thousand slots at once, and doing nothing.

use std::fmt::Write;
use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan};

use super::Wish;
use super::measure::times;
use super::support::{Sandbox, eventually};
use super::target::Bound::AtMost;
use super::target::Targets;

const JOBS: u32 = 10_000;
/// How long the idle daemon is looked at.
const IDLE: Duration = Duration::from_secs(30);

/// Looks and judges.
pub fn run(wish: &Wish, targets: &mut Targets) {
    if wish.wants("daemon, slots") {
        println!("\nthe daemon, {JOBS} jobs due at one instant");
        let (claimed, started) = slots();
        println!("all slots claimed {claimed:.2} s after it; first run started {started:.2} s after it");
        targets.add("10,000 slots due at one instant: seconds until all are claimed", Some(claimed), AtMost(10.0));
    }
    if wish.wants("daemon, idle") {
        println!("\nthe daemon, idle for {} s with 10 jobs", IDLE.as_secs());
        let (memory, share) = idle();
        println!("{memory:.1} MiB resident, {share:.2} % of one processor");
        targets.add("idle daemon: memory, MiB", Some(memory), AtMost(25.0));
        targets.add("idle daemon: percent of one processor", Some(share), AtMost(0.5));
    }
}

/// A sandbox with so many jobs of one small database, all at the same times.
fn with_jobs(count: u32, schedule: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let url = format!("sqlite://{}", sandbox.sqlite("notes.db", 100).display());
    let mut tables = format!("[databases.notes]\nurl = '{url}'\n");
    for job in 0..count {
        let settings = "database = 'notes'\nstores = ['local']\nretention = 'last 3'";
        writeln!(tables, "[backup.job-{job}]\n{settings}\nschedule = '{schedule}'").unwrap();
    }
    sandbox.configure(&tables);
    sandbox
}

/// Seconds from the common instant until all slots are claimed, and until the first run has begun.
fn slots() -> (f64, f64) {
    // Far enough for the daemon to be ready, which is measured too, after a fashion: late, it would catch up.
    let at = Timestamp::now().checked_add(30.seconds()).unwrap().round(jiff::Unit::Second).unwrap();
    let schedule = at.strftime("%S %M %H %d %m *").to_string();
    let sandbox = with_jobs(JOBS, &schedule);
    let daemon = sandbox.daemon();
    assert!(Timestamp::now() < at, "the daemon was not ready in time");
    let count = format!("SELECT count(*) FROM slots WHERE cause = 'on_time' HAVING count(*) = {JOBS}");
    eventually("every slot claimed", Duration::from_secs(120), || {
        (!sandbox.state_sql(&count).is_empty()).then_some(())
    });
    let claimed = Timestamp::now().duration_since(at).as_secs_f64();
    let first = eventually("a first run", Duration::from_secs(120), || {
        sandbox.state_sql("SELECT min(started_ms) FROM runs").trim().parse::<i64>().ok()
    });
    daemon.kill();
    (claimed, (first - at.as_millisecond()) as f64 / 1e3)
}

/// Resident memory in MiB, and percent of one processor.
fn idle() -> (f64, f64) {
    let sandbox = with_jobs(10, "0 2 1 1 *");
    let daemon = sandbox.daemon();
    let process = daemon.pid().as_raw_nonzero().to_string();
    let ticks = || times(&process).iter().sum::<u64>();
    std::thread::sleep(Duration::from_secs(3));
    let (before, start) = (ticks(), Instant::now());
    std::thread::sleep(IDLE);
    let share = (ticks() - before) as f64 / start.elapsed().as_secs_f64();
    let memory = daemon.resident_kib() as f64 / 1024.0;
    daemon.terminate();
    (memory, share)
}
