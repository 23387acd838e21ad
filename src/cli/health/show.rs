//! The result of rounds for people and for programs.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Last;
use crate::cli::output::{Output, age};
use crate::health::{Look, Round, Verdict};
use crate::state::Status;

/// How many lines of evidence are shown of each check.
const EVIDENCE: usize = 20;

/// Prints rounds: a line per check, with `detailed` what was seen and asked too.
pub(super) fn print(rounds: &[Round], last: &Last, detailed: bool, output: &Output) {
    for (number, round) in rounds.iter().enumerate() {
        if number > 0 {
            output.line("");
        }
        output.line(format!("{}: {}", round.database, word(round.worst(), output)));
        if detailed {
            for look in &round.looks {
                details(look, round, last, output);
            }
        } else {
            table(round, last, output);
        }
    }
    let all: Vec<Value> = rounds.iter().map(|round| as_json(round, last)).collect();
    output.json(&all);
}

fn table(round: &Round, last: &Last, output: &Output) {
    let rows = round.looks.iter().filter(|look| look.status() != Status::NotApplicable);
    let rows = rows
        .map(|look| {
            let observation = look.observation(&round.database, round.at);
            vec![
                look.check.name.to_string(),
                word(look.status(), output),
                observation.value.unwrap_or_default(),
                observation.threshold.unwrap_or_default(),
                since(look, round, last),
                observation.summary,
            ]
        })
        .collect();
    output.table(&["check", "status", "value", "threshold", "since", "what"], rows);
    let cures = round.looks.iter().filter(|look| look.status() == Status::Unknown);
    let mut cures: Vec<String> = cures.filter_map(|look| look.observation("", round.at).advice).collect();
    cures.sort();
    cures.dedup();
    for cure in cures {
        output.line(format!("to see more: {cure}"));
    }
    if round.worst() > Status::Unknown {
        output.line(format!("what was seen and what to do: caretaker health {} --detailed", round.database));
    }
}

fn details(look: &Look, round: &Round, last: &Last, output: &Output) {
    let observation = look.observation(&round.database, round.at);
    output.line("");
    let since = since(look, round, last);
    let since = if since.is_empty() { since } else { format!(" for {since}") };
    output.line(format!("{}  {}{since}  ({})", look.check.name, word(look.status(), output), look.check.about));
    output.line(format!("  {}", observation.summary));
    if let Some(threshold) = &observation.threshold {
        let value = observation.value.map(|value| format!("value {value}; ")).unwrap_or_default();
        output.line(format!("  {value}{threshold}"));
        output.line(format!("  why there: {}", look.check.source));
    }
    for line in observation.evidence.iter().take(EVIDENCE) {
        output.line(format!("    {line}"));
    }
    if observation.evidence.len() > EVIDENCE {
        output.line(format!("    and {} more", observation.evidence.len() - EVIDENCE));
    }
    match (&observation.advice, &look.seen) {
        (Some(advice), _) => output.line(format!("  advice: {advice}")),
        (None, Ok(Verdict { advice: Some(advice), .. })) => output.line(format!("  advice, were it not OK: {advice}")),
        _ => {}
    }
    for sql in &look.sql {
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        output.line(format!("  SQL: {sql}"));
    }
    output.line(format!("  looked for {} ms", look.took.as_millis()));
}

/// For how long the status has been what it is, as far as the scheduled rounds have seen.
fn since(look: &Look, round: &Round, last: &Last) -> String {
    let key = (round.database.clone(), look.check.name.to_string());
    let known = last.get(&key).filter(|known| known.observation.status == look.status());
    known.map_or_else(String::new, |known| age(known.since, Timestamp::now()))
}

fn as_json(round: &Round, last: &Last) -> Value {
    let checks: Vec<Value> = round
        .looks
        .iter()
        .map(|look| {
            let observation = look.observation(&round.database, round.at);
            let known = last.get(&(round.database.clone(), look.check.name.to_string()));
            let known = known.filter(|known| known.observation.status == look.status());
            json!({
                "check": look.check.name.as_str(),
                "status": look.status(),
                "summary": observation.summary,
                "value": observation.value,
                "number": observation.number,
                "source": look.check.source,
                "warning": look.limits.warning,
                "critical": look.limits.critical,
                "since": known.map(|known| known.since),
                "advice": observation.advice,
                "evidence": observation.evidence,
                "sql": look.sql,
                "duration_ms": u64::try_from(look.took.as_millis()).unwrap_or(u64::MAX),
            })
        })
        .collect();
    json!({"database": round.database, "at": round.at, "status": round.worst(), "checks": checks})
}

fn word(status: Status, output: &Output) -> String {
    match status {
        Status::Ok => output.good("OK"),
        Status::NotApplicable => "not applicable".to_owned(),
        Status::Unknown => output.warn("UNKNOWN"),
        Status::Warning => output.warn("WARNING"),
        Status::Critical => output.bad("CRITICAL"),
    }
}
