//! What the checks of a SQLite file have in common, and whether it can be opened at all.

use std::time::Duration;

use crate::database::sqlite::{Figures, SqliteError, figures};
use crate::fault::Fault as _;
use crate::health::{Seen, SqliteView, Unseen, Verdict};
use crate::state::Status;

/// How long to wait for others' locks: less than a check may take.
pub(super) const WAIT: Duration = Duration::from_secs(6);

/// The figures of the file, for checks that cannot look without them.
pub(super) async fn look(view: &mut SqliteView<'_>) -> Result<Figures, Unseen> {
    view.asks(&Figures::STATEMENTS);
    figures(view.path, WAIT).await.map_err(|error| unseen(&error))
}

pub(super) fn unseen(error: &SqliteError) -> Unseen {
    let unseen = Unseen::unknown(crate::fault::chain(error));
    match error.hint() {
        Some(hint) => unseen.cure(hint),
        None => unseen,
    }
}

/// Opening and a first query. What cannot be opened has no figure, and nothing behind it is looked at.
pub(super) async fn opening(view: &mut SqliteView<'_>) -> Seen {
    view.asks(&Figures::STATEMENTS);
    match figures(view.path, WAIT).await {
        Ok(found) => {
            let took = found.took.as_secs_f64();
            let summary = format!("opened and answered in {}", crate::units::seconds(took));
            #[allow(clippy::cast_precision_loss, reason = "bytes of a file are below 2^53")]
            let size = crate::units::bytes((found.pages * found.page_size) as f64);
            let evidence = format!("{}, {size}, journal mode {}", view.path.display(), found.journal_mode);
            Ok(Verdict::new(view.own.limits.judge(took), summary)
                .figure(took)
                .evidence([evidence])
                .advice("look at the disk, and for a process that holds the file locked: `fuser FILE`"))
        }
        Err(error) => {
            let verdict = Verdict::new(Status::Critical, crate::fault::chain(&error));
            Ok(match error.hint() {
                Some(hint) => verdict.advice(hint),
                None => verdict,
            })
        }
    }
}
