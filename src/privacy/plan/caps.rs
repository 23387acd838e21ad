//! Whether a rule goes beyond a cap. Pure.

use super::{Meaning, Setting};
use crate::config::Rule;
use crate::state::{Disposition, DispositionState};

/// Below so many rows of a table a large share of it says nothing.
const SMALL: u64 = 1000;

/// How many rows a rule may take in one run by every cap, and which cap that is.
pub(super) fn most(
    table_rows: u64,
    setting: &Setting<'_>,
    rule: &Rule,
    earlier: &[Disposition],
) -> (u64, &'static str) {
    let caps = &setting.policy.caps;
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bound")]
    let times = |rows: u64, factor: f64| (rows as f64 * factor) as u64;
    let share = (table_rows >= SMALL).then(|| (times(table_rows, caps.max_fraction), "max_fraction"));
    let done = |one: &&Disposition| one.rule == rule.name && one.state == DispositionState::Completed;
    let last = earlier.iter().find(done).filter(|last| last.done > 0);
    let growth = last.map(|last| (times(last.done, caps.max_growth).max(SMALL - 1), "max_growth"));
    [Some((caps.max_rows, "max_rows")), share, growth]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or((caps.max_rows, "max_rows"))
}

/// Which cap a rule goes beyond, in words.
pub(super) fn beyond(meaning: &Meaning, setting: &Setting<'_>, rule: &Rule, earlier: &[Disposition]) -> Option<String> {
    let caps = &setting.policy.caps;
    let rows = meaning.rows;
    if rows > caps.max_rows {
        return Some(format!("{rows} rows are more than `max_rows` ({})", caps.max_rows));
    }
    if meaning.table_rows >= SMALL && meaning.share > caps.max_fraction {
        let (share, most) = (meaning.share * 100.0, caps.max_fraction * 100.0);
        return Some(format!("{share:.1} % of `{}` are more than `max_fraction` ({most:.0} %)", rule.table));
    }
    let done = |one: &&Disposition| one.rule == rule.name && one.state == DispositionState::Completed;
    let last = earlier.iter().find(done)?;
    #[allow(clippy::cast_precision_loss, reason = "a factor for people")]
    let growth = rows as f64 / last.done.max(1) as f64;
    (rows >= SMALL && last.done > 0 && growth > caps.max_growth).then(|| {
        format!(
            "{rows} rows are {growth:.1} times the {} of the last run, more than `max_growth` ({})",
            last.done, caps.max_growth
        )
    })
}
