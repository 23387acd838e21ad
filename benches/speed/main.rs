//! `make bench`: Caretaker against the tools people use otherwise, on the same data, in the same run, in turns.
//!
//! Arguments choose contestants by a part of their names (`make bench ONLY='zstd none'`); without any, all run.
//! `CARETAKER_BENCH_MB` is the size of the plain dump, `CARETAKER_BENCH_ROUNDS` how often everybody runs.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program of the tests' kind, whose output is its purpose"
)]

mod alerts;
mod contest;
mod daemon;
mod data;
mod health;
mod measure;
mod peers;
mod postgres;
mod privacy;
mod sqlite;
#[path = "../../tests/suite/support/mod.rs"]
mod support;
mod target;

use contest::Contestant;
use target::Targets;

/// What is asked for.
pub struct Wish {
    /// Bytes of the plain dump, about.
    pub bytes: u64,
    /// How often everybody runs.
    pub rounds: usize,
    only: Vec<String>,
}

impl Wish {
    fn read() -> Self {
        let number = |name: &str, default: u64| match std::env::var(name) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
            Err(_) => default,
        };
        Self {
            bytes: number("CARETAKER_BENCH_MB", 1000).max(1) * 1_000_000,
            rounds: usize::try_from(number("CARETAKER_BENCH_ROUNDS", 3)).unwrap().max(1),
            // Cargo adds options of its own.
            only: std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect(),
        }
    }

    /// Whether this one was chosen.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part))
    }

    /// Those that were chosen.
    pub fn choose<'a>(&self, all: Vec<Contestant<'a>>) -> Vec<Contestant<'a>> {
        all.into_iter().filter(|contestant| self.wants(contestant.name)).collect()
    }
}

fn main() {
    let wish = Wish::read();
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!("{processors} processors, {} rounds, medians", wish.rounds);
    let mut targets = Targets::default();
    postgres::run(&wish, &mut targets);
    sqlite::run(&wish, &mut targets);
    daemon::run(&wish, &mut targets);
    health::run(&wish, &mut targets);
    alerts::run(&wish, &mut targets);
    privacy::run(&wish, &mut targets);
    targets.print();
}
