//! Pages of a SQLite file that hold nothing. <https://www.sqlite.org/pragma.html#pragma_freelist_count>

use super::{Check, LookAt, sqlite};
use crate::config::CheckName;
use crate::health::{Seen, SqliteView, Verdict};
use crate::state::Status;

pub(super) const CHECK: Check = Check {
    name: CheckName::Freelist,
    about: "free pages of a SQLite file, of all, from 64 MiB",
    deep: false,
    warning: Some(0.50),
    critical: Some(0.90),
    source: "free pages are used again, so half of a file is no harm but to the disk and to backups",
    look: LookAt { postgres: None, sqlite: Some(|view| Box::pin(look(view))), own: None },
};

/// Less than this in vain is no concern, however small the file: 64 MiB, as for growth.
const LEAST_BYTES: u64 = 64 << 20;

#[allow(clippy::cast_precision_loss, reason = "pages of a file are below 2^53")]
async fn look(view: &mut SqliteView<'_>) -> Seen {
    let found = sqlite::look(view).await?;
    let share = found.free_pages as f64 / found.pages.max(1) as f64;
    let free = found.free_pages * found.page_size;
    let status = if free < LEAST_BYTES { Status::Ok } else { view.own.limits.judge(share) };
    let bytes = crate::units::bytes(free as f64);
    let summary = format!("{} of {} pages are free, {bytes}", found.free_pages, found.pages);
    Ok(Verdict::new(status, summary).figure(share).advice(
        "VACUUM gives the space back, at a time when nobody writes; `PRAGMA auto_vacuum = INCREMENTAL` before one does \
         it bit by bit from then on",
    ))
}
