//! Objects that are not as they should be, counted; those that the operator leaves out are not.

use sqlx::postgres::PgRow;

use crate::health::view::{figure, optional};
use crate::health::{OwnView, Seen, Unseen, Verdict};

/// How many lines of evidence are worth reading.
const LINES: usize = 50;

/// What a statement found that gives `object` (`schema.table`), `name` (the part of it, or NULL) and `detail`.
pub(super) struct Listing {
    found: Vec<String>,
    left_out: usize,
}

impl Listing {
    /// Reads rows. An object is left out by its own name or by that of its part, `schema.table.part`.
    pub(super) fn of(view: &OwnView<'_>, rows: &[PgRow]) -> Result<Self, Unseen> {
        let mut listing = Self { found: Vec::new(), left_out: 0 };
        for row in rows {
            let (object, name): (String, Option<String>) = (figure(row, "object")?, optional(row, "name")?);
            let part = name.map(|name| format!("{object}.{name}"));
            if view.exclude.leaves_out(&object) || part.is_some_and(|part| view.exclude.leaves_out(&part)) {
                listing.left_out += 1;
            } else {
                listing.found.push(figure(row, "detail")?);
            }
        }
        Ok(listing)
    }

    /// A verdict over how many there are: `2 triggers are switched off`.
    pub(super) fn count(self, view: &OwnView<'_>, one: &str, many: &str) -> Seen {
        let summary = match self.found.len() {
            0 => format!("no {one}"),
            1 => format!("1 {one}"),
            several => format!("{several} {many}"),
        };
        #[allow(clippy::cast_precision_loss, reason = "objects of a database are fewer than 2^52")]
        let figure = self.found.len() as f64;
        let left_out = (self.left_out > 0).then(|| format!("{} left out by `exclude`", self.left_out));
        Ok(Verdict::new(view.limits.judge(figure), summary).figure(figure).evidence(few(self.found)).evidence(left_out))
    }
}

/// The first lines, and how many more there are.
pub(super) fn few(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > LINES {
        let more = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push(format!("… and {more} more"));
    }
    lines
}
