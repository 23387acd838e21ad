//! A rule's rows, put into archives before they go.
//!
//! Rows are read window by window into an archive until that is large enough; it is completed in the store, read back, and
//! written down in the log; and only then do exactly these rows go, each only if it is still the one that was read. What is
//! cut off before that loses no row: at worst it stands in two archives.

use std::time::Instant;

use jiff::Timestamp;

use super::pace::Pace;
use super::said::{forget, log, manifest};
use super::window::{Cursor, Windows};
use super::work::{End, Work};
use crate::archive::BackupId;
use crate::archive::manifest::Object;
use crate::config::Action;
use crate::privacy::fragment::{Fragment, Scalar};
use crate::records::{self, Shelf, Volume};

/// How large an archive grows before its rows go, and how many rows it has at most: their versions are remembered.
const LARGE: u64 = 64 << 20;
const MANY: usize = 100_000;

/// How much is read from the database at once.
const AT_ONCE: usize = 4 << 20;

/// Rows that were read, and must still be the same when they go.
struct Taken {
    window: Fragment,
    versions: Vec<String>,
}

/// An archive being filled.
#[derive(Default)]
struct Filling {
    volume: Option<Volume>,
    taken: Vec<Taken>,
    rows: usize,
}

/// Archives a rule's rows and lets them go, from where `left` says that an earlier run had come to.
pub(super) async fn archive(work: &mut Work<'_>, left: Option<Cursor>) -> Result<(), End> {
    let Action::Archive { store, expire_after, encrypt_to } = &work.ready.resolved.rule.action else { return Ok(()) };
    let (context, setting, config) = (work.application.context, work.application.setting, work.application.config);
    let policy = setting.policy;
    let recipients = records::recipients(config, policy, encrypt_to).map_err(End::Failed)?;
    let of_rule = (policy.name.as_str(), work.ready.resolved.rule.name.as_str());
    let shelf = Shelf::open(config, store, of_rule, recipients).await.map_err(End::Failed)?;
    context.progress.beat_during(shelf.clear_up(Timestamp::now())).await.map_err(End::Failed)?;
    let mut windows = work.windows(left).await?;
    let mut of_this_pass = 0;
    // What was read in one go is about what can be read in the next.
    let mut reach = Pace::new(work.application.target);
    loop {
        let begun = windows.cursor.clone();
        work.look_at_holds().await?;
        let mut filling = Filling::default();
        if let Err(end) = fill(work, &mut windows, &mut reach, &shelf, &mut filling).await {
            if let Some(volume) = filling.volume {
                volume.abort().await;
            }
            return Err(end);
        }
        let Some(volume) = filling.volume else {
            if work.ready.resolved.is_layered && of_this_pass > 0 {
                // What had children in its own table may have none any more.
                of_this_pass = 0;
                windows.rewind();
                continue;
            }
            shelf.close().await;
            return Ok(());
        };
        let expires = match expire_after {
            Some(span) => Timestamp::now().to_zoned(policy.timezone.clone()).checked_add(*span).ok(),
            None => None,
        };
        let expires = expires.map(|at| at.timestamp());
        // Not of the work itself, which nobody else may see while the store is waited for.
        let (application, ready, of) = (work.application, work.ready, work.id);
        let describe = move |id: BackupId, rows: u64, object: Object, encrypted_to: Vec<String>| {
            manifest(application, ready, of, expires, (id, rows, object, encrypted_to))
        };
        let complete = context.progress.beat_during(volume.finish(describe)).await.map_err(End::Failed)?;
        log(work, store, &complete).await?;
        work.applied.archives += 1;
        let gone = let_go(work, &filling.taken, [&begun, &windows.cursor]).await?;
        if gone == 0 {
            // It would be written again with every run, for as long as something keeps them.
            forget(work, &shelf, store, &complete).await?;
        }
        of_this_pass += gone;
    }
}

/// Reads rows into an archive, until it is large enough or nothing is left.
async fn fill(
    work: &mut Work<'_>,
    windows: &mut Windows<'_>,
    reach: &mut Pace,
    shelf: &Shelf,
    filling: &mut Filling,
) -> Result<(), End> {
    let (dialect, table) = (work.application.setting.dialect, work.ready.resolved.table);
    loop {
        work.breathe().await?;
        let began = Instant::now();
        let window = match windows.next(work.ground.as_mut(), reach.rows()).await {
            Ok(Some(window)) => window,
            Ok(None) => return Ok(()),
            Err(error) => {
                work.forgive(error).await?;
                continue;
            }
        };
        let mut question = Fragment::text("SELECT ");
        question.append(dialect.version(table)).push(", ").append(dialect.line(table));
        question.push(format!(" FROM {} WHERE ", dialect.table(&table.relation))).append(window.rows.clone());
        let wanted = work.ready.resolved.wanted(work.held.as_ref(), |guard| guard.has_children_each.clone());
        question.push(" AND ").append(wanted);
        // A row by itself is taken whatever its size.
        let most = if reach.is_least() { usize::MAX } else { AT_ONCE };
        let found = match work.ground.ask_within(&question.finish(dialect.placeholder()), most).await {
            Ok(Some(found)) => found,
            Ok(None) => {
                reach.halve();
                continue;
            }
            Err(error) => {
                work.forgive(error).await?;
                continue;
            }
        };
        work.is_well();
        let (mut lines, mut versions) = (Vec::new(), Vec::new());
        for row in found {
            if let [Scalar::Text(version), Scalar::Text(line)] = row.as_slice() {
                versions.push(version.clone());
                lines.extend_from_slice(line.as_bytes());
                lines.push(b'\n');
            }
        }
        if lines.len() < AT_ONCE / 2 {
            reach.took(began.elapsed(), versions.len() as u64);
        }
        windows.cursor.at = Some(window.next);
        if versions.is_empty() {
            continue;
        }
        let volume = match filling.volume.take() {
            Some(volume) => volume,
            None => shelf.begin(Timestamp::now()).await.map_err(End::Failed)?,
        };
        let volume = filling.volume.insert(volume);
        let bytes = lines.len() as u64;
        let push = volume.push(lines, versions.len() as u64);
        work.application.context.progress.beat_during(push).await.map_err(End::Failed)?;
        work.application.context.progress.add_in(bytes);
        filling.rows += versions.len();
        let is_large = volume.plain_bytes() >= LARGE || filling.rows >= MANY;
        filling.taken.push(Taken { window: window.rows, versions });
        if is_large {
            return Ok(());
        }
    }
}

/// Lets exactly the rows go that are in an archive. Gives their number: those that were changed, held or got children since
/// they were read stay. What is cut off is gone on with `before` the archive: what is gone is not found again.
async fn let_go(work: &mut Work<'_>, taken: &[Taken], [before, after]: [&Cursor; 2]) -> Result<u64, End> {
    let (dialect, table) = (work.application.setting.dialect, work.ready.resolved.table);
    let mut gone = 0;
    let mut left: usize = taken.iter().map(|taken| taken.versions.len()).sum();
    for Taken { window, versions } in taken {
        let mut at = 0;
        while at < versions.len() {
            work.breathe().await?;
            let few = usize::try_from(work.pace.rows()).unwrap_or(usize::MAX).min(versions.len() - at);
            let these = dialect.is_among(table, &versions[at..at + few]);
            if let Some((rows, took)) = work.change(window, Some(these)).await? {
                at += few;
                left -= few;
                gone += rows;
                work.record(rows, took, if left == 0 { after } else { before }).await?;
            }
        }
    }
    Ok(gone)
}
