//! Several ways to do the same, measured in turns, so that whatever else the machine does meets all of them alike.

use super::measure::Sample;

/// One way to do it.
pub struct Contestant<'a> {
    pub name: &'static str,
    pub run: Box<dyn Fn() -> Sample + 'a>,
}

/// A contestant's samples, one for each round.
pub struct Outcome {
    pub name: &'static str,
    pub samples: Vec<Sample>,
}

/// The outcomes of one contest.
pub struct Outcomes(Vec<Outcome>);

/// Lets all run, in turns. The order changes from round to round, since everybody leaves something behind: a warm cache,
/// a disk still at work.
pub fn contest(contestants: &[Contestant<'_>], rounds: usize) -> Outcomes {
    let mut outcomes: Vec<Outcome> =
        contestants.iter().map(|one| Outcome { name: one.name, samples: Vec::new() }).collect();
    for round in 0..rounds {
        for turn in 0..contestants.len() {
            let index = if round % 2 == 0 { turn } else { contestants.len() - 1 - turn };
            eprintln!("round {} of {rounds}: {}", round + 1, contestants[index].name);
            outcomes[index].samples.push((contestants[index].run)());
        }
    }
    Outcomes(outcomes)
}

impl Outcomes {
    /// One line for each contestant: medians, with the speed in bytes of `plain`.
    pub fn print(&self, plain: u64) {
        println!("\n{:<44}{:>9}{:>8}{:>9}{:>9}{:>11}", "", "seconds", "MB/s", "CPU s", "MiB", "stored MB");
        for Outcome { name, samples } in &self.0 {
            let of = |value: fn(&Sample) -> f64| median(samples.iter().map(value));
            let seconds = of(|sample| sample.seconds);
            println!(
                "{name:<44}{seconds:>9.2}{:>8.0}{:>9.2}{:>9.0}{:>11.1}",
                plain as f64 / seconds / 1e6,
                of(|sample| sample.cpu),
                of(|sample| sample.memory as f64) / f64::from(1 << 20),
                of(|sample| sample.stored as f64) / 1e6,
            );
        }
        println!();
    }

    /// How many times as fast `one` is as `other`.
    pub fn speed(&self, one: &str, other: &str) -> Option<f64> {
        self.ratio(other, one, |sample| sample.seconds)
    }

    /// How many times as much processor time `one` takes as `other`.
    pub fn cpu(&self, one: &str, other: &str) -> Option<f64> {
        self.ratio(one, other, |sample| sample.cpu)
    }

    /// The highest resident memory of any round, in MiB.
    pub fn memory(&self, one: &str) -> Option<f64> {
        let samples = self.samples(one)?;
        samples.iter().map(|sample| sample.memory).max().map(|bytes| bytes as f64 / f64::from(1 << 20))
    }

    /// The median of the rounds' own ratios: what troubles the machine for minutes troubles both alike.
    fn ratio(&self, one: &str, other: &str, value: fn(&Sample) -> f64) -> Option<f64> {
        let pairs = self.samples(one)?.iter().zip(self.samples(other)?);
        Some(median(pairs.map(|(one, other)| value(one) / value(other))))
    }

    fn samples(&self, name: &str) -> Option<&[Sample]> {
        self.0.iter().find(|outcome| outcome.name == name).map(|outcome| outcome.samples.as_slice())
    }
}

/// The median; 0 of nothing.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}
