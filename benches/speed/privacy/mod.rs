//! Half of a large table goes while others work: `privacy apply` beside what people write themselves.

mod postgres;
mod sqlite;
mod writer;

use super::Wish;
use super::contest::median;
use super::target::Targets;

/// Rows of the table; the older half goes.
const ROWS: u64 = 3_000_000;

/// What one way has cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// Until the last row was gone.
    seconds: f64,
    /// Of the longest transaction.
    longest: f64,
    /// What a writer beside it waited in 99 of 100 cases, and at most; seconds.
    p99: f64,
    worst: f64,
    /// Clearing up afterwards, in seconds.
    tidying: f64,
    /// Peak resident memory, in bytes; 0: it ran in the server.
    memory: u64,
}

/// A way to do it, with its costs in each round.
struct Way<'a> {
    name: &'static str,
    run: Box<dyn Fn() -> Cost + 'a>,
    costs: Vec<Cost>,
}

impl<'a> Way<'a> {
    fn new(name: &'static str, run: impl Fn() -> Cost + 'a) -> Self {
        Self { name, run: Box::new(run), costs: Vec::new() }
    }

    fn of(&self, value: fn(&Cost) -> f64) -> f64 {
        median(self.costs.iter().map(value))
    }
}

/// Looks and judges.
pub fn run(wish: &Wish, targets: &mut Targets) {
    if wish.wants("privacy PostgreSQL") {
        postgres::run(wish, targets);
    }
    if wish.wants("privacy SQLite") {
        sqlite::run(wish, targets);
    }
}

/// Lets each run once a round.
fn race(ways: &mut [Way<'_>], rounds: usize) {
    for round in 1..=rounds {
        for way in &mut *ways {
            eprintln!("round {round} of {rounds}: {}", way.name);
            let cost = (way.run)();
            way.costs.push(cost);
        }
    }
}

fn print(title: &str, ways: &[Way<'_>]) {
    println!("\n{title}");
    println!(
        "{:<44}{:>9}{:>10}{:>12}{:>11}{:>11}{:>9}{:>7}",
        "", "seconds", "rows/s", "longest ms", "p99 ms", "worst ms", "after s", "MiB"
    );
    for way in ways {
        println!(
            "{:<44}{:>9.1}{:>10.0}{:>12.0}{:>11.2}{:>11.1}{:>9.1}{:>7.0}",
            way.name,
            way.of(|cost| cost.seconds),
            (ROWS / 2) as f64 / way.of(|cost| cost.seconds),
            way.of(|cost| cost.longest) * 1e3,
            way.of(|cost| cost.p99) * 1e3,
            way.of(|cost| cost.worst) * 1e3,
            way.of(|cost| cost.tidying),
            way.of(|cost| cost.memory as f64) / f64::from(1 << 20),
        );
    }
}

/// What Caretaker says about its last disposition: its longest transaction, and how long ago it ended, in seconds.
fn disposition(sandbox: &super::support::Sandbox) -> (f64, f64) {
    let line = sandbox.state_sql("SELECT longest_ms || ' ' || finished_ms || ' ' || done FROM dispositions");
    let figures: Vec<i64> = line.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
    let near = (figures[2] - i64::try_from(ROWS / 2).unwrap()).abs() < 100_000;
    assert!(near, "{} rows are gone", figures[2]);
    let ago = jiff::Timestamp::now().as_millisecond() - figures[1];
    (figures[0] as f64 / 1e3, ago as f64 / 1e3)
}
