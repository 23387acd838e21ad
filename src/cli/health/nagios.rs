//! One line and an exit code for Nagios, Icinga and whoever else speaks their language:
//! <https://www.monitoring-plugins.org/doc/guidelines.html>

use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::config::{Bad, Unit};
use crate::health::{Look, Round};
use crate::state::Status;

/// Prints the line; the exit code is the plugin's.
pub(super) fn print(rounds: &[Round], output: &Output) -> Exit {
    let worst = rounds.iter().map(Round::worst).max().unwrap_or(Status::NotApplicable);
    output.raw(line(rounds, worst));
    Exit::Nagios(match worst {
        Status::Ok | Status::NotApplicable => 0,
        Status::Warning => 1,
        Status::Critical => 2,
        Status::Unknown => 3,
    })
}

fn line(rounds: &[Round], worst: Status) -> String {
    let word = match worst {
        Status::Ok | Status::NotApplicable => "OK",
        Status::Warning => "WARNING",
        Status::Critical => "CRITICAL",
        Status::Unknown => "UNKNOWN",
    };
    let all = || rounds.iter().flat_map(|round| round.looks.iter().map(move |look| (round, look)));
    let mut bad: Vec<_> = all().filter(|(_, look)| look.status() > Status::Ok).collect();
    bad.sort_by_key(|(_, look)| std::cmp::Reverse(look.status()));
    let told: Vec<String> = bad
        .iter()
        .map(|(round, look)| {
            let summary = look.observation(&round.database, round.at).summary;
            format!("{} {}: {summary}", round.database, look.check.name)
        })
        .collect();
    let told = if told.is_empty() { format!("{} checks", all().count()) } else { told.join("; ") };
    // `|` begins the performance data, and a line break further text.
    let told = told.replace('|', "/").replace(['\n', '\r'], " ");
    let data: Vec<String> = all().filter_map(|(round, look)| performance(round, look)).collect();
    format!("CARETAKER {word} - {told} | {}", data.join(" ")).trim_end_matches([' ', '|']).to_owned()
}

/// `'label'=value[UOM];[warn];[crit]`
fn performance(round: &Round, look: &Look) -> Option<String> {
    let figure = look.seen.as_ref().ok()?.figure?;
    let unit = match look.check.name.unit() {
        Unit::Seconds => "s",
        Unit::Bytes => "B",
        Unit::Share | Unit::Count => "",
    };
    // A range without a colon alerts above its end; `10:` alerts below 10.
    let limit = |limit: Option<f64>| {
        limit.map_or_else(String::new, |limit| match look.check.name.bad() {
            Bad::High => limit.to_string(),
            Bad::Low => format!("{limit}:"),
        })
    };
    let (warning, critical) = (limit(look.limits.warning), limit(look.limits.critical));
    Some(format!("'{}_{}'={figure}{unit};{warning};{critical}", round.database, look.check.name))
}
