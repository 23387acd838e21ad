//! A restore as people see it: the plan, and what came of it.

use serde_json::json;

use crate::cli::exit::{CliError, Exit};
use crate::cli::output::{age, bytes};
use crate::cli::scene::Scene;
use crate::privacy::replay::{Replay, Replayed};
use crate::restore::{Comparison, RestorePlan, Restored};
use crate::units::counted;

/// Shows the plan; refuses a target that is not empty. Whether it is to be carried out.
pub(super) fn plan(plan: &RestorePlan, replay: &Replay, dry_run: bool, scene: &Scene<'_>) -> Result<bool, CliError> {
    let output = scene.output;
    output.line(format!("backup  {} from store {}", output.strong(&plan.backup), plan.store));
    let old = age(plan.snapshot_at, jiff::Timestamp::now());
    output.line(format!("data    of {}, {old} old", crate::cli::output::utc(plan.snapshot_at)));
    output.line(format!("size    {} stored, {} plain", bytes(plan.stored_bytes), bytes(plan.plain_bytes)));
    let how = if plan.creates { "new" } else { "existing, must be empty" };
    output.line(format!("into    {} ({how})", plan.target));
    if let Some(tool) = &plan.tool {
        output.line(format!("with    {tool}"));
    }
    if replay.count() > 0 {
        output.line(format!("then    {} applied again before anybody may enter", erasures(replay.count())));
    }
    for warning in plan.warnings.iter().chain(&replay.warnings) {
        output.line(format!("{} {warning}", output.warn("warning:")));
    }
    let refused = plan.occupied.first();
    if dry_run {
        output.json(&match refused {
            Some(_) => json!({"plan": plan, "replay": replay.count(), "refused": true}),
            None => json!({"plan": plan, "replay": replay.count()}),
        });
    }
    match refused {
        Some(first) => Err(CliError::refused(format!("the target is not empty: {first}"))
            .hint("name a new database or file; Caretaker never overwrites one")),
        None => Ok(!dry_run),
    }
}

/// The comparison as a table.
fn show_comparison(comparison: &Comparison, scene: &Scene<'_>) {
    let output = scene.output;
    let number = |rows: Option<u64>| rows.map_or("—".to_owned(), |rows| rows.to_string());
    let rows = comparison.tables.iter().map(|table| {
        vec![
            table.table.clone(),
            number(table.expected_rows),
            number(table.found_rows),
            match (table.same_hash, &table.not_comparable) {
                (_, Some(why)) => output.warn(&format!("not compared: {why}")),
                (Some(true), None) => output.good("same hash"),
                (Some(false), None) => output.bad("different hash"),
                (None, None) if table.is_same() => output.good("same rows"),
                (None, None) => output.bad("different"),
            },
        ]
    });
    output.table(&["table", "rows in backup", "rows restored", ""], rows.collect());
    output.line(match (comparison.same, comparison.proven) {
        (true, true) => output.good("restored, and the same as the backup"),
        (true, false) => output.warn("restored; the backup holds no fingerprint to compare with"),
        (false, _) => output.bad("restored, but NOT the same as the backup"),
    });
}

/// Shows what came of it.
pub(super) fn restored(planned: &RestorePlan, restored: &Restored, scene: &Scene<'_>) -> Exit {
    for warning in &restored.warnings {
        scene.output.line(format!("{} {warning}", scene.output.warn("warning:")));
    }
    show_comparison(&restored.comparison, scene);
    replayed(&restored.replayed, scene);
    scene.output.json(&json!({"plan": planned, "result": restored}));
    if restored.comparison.same { Exit::Done } else { Exit::Found }
}

/// Shows which erasures were applied again.
pub(in crate::cli) fn replayed(replayed: &[Replayed], scene: &Scene<'_>) {
    for one in replayed {
        scene.output.line(format!(
            "{}: {} applied again: {} in it, {} changed or gone",
            one.policy,
            erasures(one.erasures),
            counted(one.people, "person", "people"),
            counted(usize::try_from(one.rows).unwrap_or(usize::MAX), "row", "rows"),
        ));
        for warning in &one.warnings {
            scene.output.line(format!("{} {warning}", scene.output.warn("warning:")));
        }
    }
}

fn erasures(count: usize) -> String {
    counted(count, "erasure is", "erasures are")
}
