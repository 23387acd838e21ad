//! A plan as people read it.

use std::fmt::Write as _;

use super::plan::{Forecast, Meaning, Plan, RulePlan};
use crate::units;

/// The plan as text.
pub fn plan(plan: &Plan) -> String {
    let mut text = format!("policy {} on {}, hash {}\n", plan.policy, plan.database, &plan.hash[..12]);
    for rule in &plan.rules {
        text.push('\n');
        self::rule(&mut text, rule);
    }
    for warning in &plan.warnings {
        let _ = write!(text, "\nwarning: {warning}");
    }
    text.trim_end().to_owned()
}

fn rule(text: &mut String, rule: &RulePlan) {
    let _ = writeln!(text, "{}: {} in {}", rule.name, rule.action, rule.table);
    if let Some(reason) = &rule.reason {
        let _ = writeln!(text, "  because of    {reason}");
    }
    if let Some(meaning) = &rule.meaning {
        self::meaning(text, meaning);
    }
    for problem in &rule.problems {
        let _ = writeln!(text, "  problem:      {problem}");
    }
    if let Some(beyond) = &rule.beyond {
        let _ = writeln!(text, "  refused:      {beyond}");
    }
    for warning in &rule.warnings {
        let _ = writeln!(text, "  warning:      {warning}");
    }
}

fn forecast(text: &mut String, forecast: &Forecast) {
    let by = if forecast.is_by_experience { "by the last run" } else { "a guess: there is no earlier run" };
    let _ = writeln!(text, "  will take     about {} ({by})", units::seconds(forecast.estimated_seconds));
    if let Some(bytes) = forecast.estimated_wal_bytes {
        let _ = writeln!(text, "  will write    up to about {} of write-ahead log", units::bytes(bytes as f64));
    }
    if let Some(intake) = forecast.intake_per_hour {
        let drain = forecast.drain_per_hour;
        let _ = writeln!(text, "  intake        {intake:.0} rows/h come in, {drain:.0} rows/h go out");
    }
}

fn meaning(text: &mut String, meaning: &Meaning) {
    let _ = writeln!(text, "  older than    {}", meaning.cutoff);
    let share = units::share(meaning.share);
    let _ = writeln!(text, "  rows          {} of {} ({share})", meaning.rows, meaning.table_rows);
    if let Some(oldest) = &meaning.oldest {
        let _ = writeln!(text, "  oldest        {oldest}");
    }
    for (rows, why) in [
        (meaning.held, "held"),
        (meaning.kept_for_children, "kept, because of their children"),
        (meaning.without_age, "without an age, kept for ever"),
    ] {
        if rows > 0 {
            let _ = writeln!(text, "                {rows} {why}");
        }
    }
    let index = meaning.index.as_ref().map_or_else(|| "none".to_owned(), Clone::clone);
    let _ = writeln!(text, "  walked by     {}; index on the age: {index}", meaning.walk);
    if meaning.rows > 0 {
        forecast(text, &meaning.forecast);
    }
    for one in &meaning.partitions {
        let rows = one.rows.map_or_else(String::new, |rows| format!(", {rows} rows"));
        #[allow(clippy::cast_precision_loss, reason = "for people")]
        let bytes = units::bytes(one.bytes as f64);
        let what = one.stays_because.as_ref().map_or_else(|| "goes".to_owned(), |why| format!("stays: {why}"));
        let _ = writeln!(text, "  partition     {} {}{rows}, {bytes}: {what}", one.name, one.bounds);
    }
    for row in &meaning.sample {
        let values: Vec<String> = row.iter().map(|(column, value)| format!("{column}={value}")).collect();
        let _ = writeln!(text, "  for example   {}", values.join(" "));
    }
    let sql = meaning.sql.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let _ = writeln!(text, "  SQL           {sql}");
}
