//! What reading copies has shown, kept in the catalogue.

use jiff::Timestamp;

use super::verify::CopyReport;
use crate::run::Failure;
use crate::state::{Backup, State, Verification};

/// Keeps what was found of a backup's copies. Each stands for itself: one whose bytes are not those of the manifest is bad,
/// so that restores pass it over and the job's next run replaces it from a good one; one found bad earlier may be good
/// again. The backup is bad when no copy is left that may be good, or when the right bytes make no readable archive.
pub async fn record(backup: &Backup, reports: &[CopyReport], state: &State) -> Result<(), Failure> {
    let now = Timestamp::now();
    let good = reports.iter().any(CopyReport::is_good);
    for report in reports {
        let problem = report.problems.first().map(String::as_str);
        if report.is_good() {
            state.set_copy_found(&backup.id, &report.store, Verification::Good, None, now).await?;
        } else if !report.hashes || good {
            state.set_copy_found(&backup.id, &report.store, Verification::Bad, problem, now).await?;
        }
    }
    let Some(known) = state.backup(&backup.id).await? else { return Ok(()) };
    let unreadable = reports.iter().any(|report| report.hashes && !report.is_good());
    let by = reports.iter().find_map(|report| report.readable.as_deref()).unwrap_or("hashes");
    if good {
        state.set_verified(&backup.id, Verification::Good, by, now).await?;
    } else if unreadable || (!reports.is_empty() && known.complete_in().next().is_none()) {
        state.set_verified(&backup.id, Verification::Bad, by, now).await?;
    }
    Ok(())
}
