//! A rule's rows, window by window, each window one transaction.

use super::window::Cursor;
use super::work::{End, Work};

/// Changes a rule's rows window by window, from where `left` says that an earlier run had come to.
pub(super) async fn walk(work: &mut Work<'_>, left: Option<Cursor>) -> Result<(), End> {
    let mut windows = work.windows(left).await?;
    let mut of_this_pass = 0;
    loop {
        work.breathe().await?;
        match windows.next(work.ground.as_mut(), work.pace.rows()).await {
            Ok(Some(window)) => {
                if let Some((rows, took)) = work.change(&window.rows, None).await? {
                    of_this_pass += rows;
                    windows.cursor.at = Some(window.next);
                    work.record(rows, took, &windows.cursor).await?;
                }
            }
            // A table that refers to itself: what had children in it may have none any more.
            Ok(None) if work.ready.resolved.is_layered && of_this_pass > 0 => {
                of_this_pass = 0;
                windows.rewind();
            }
            Ok(None) => return Ok(()),
            Err(error) => work.forgive(error).await?,
        }
    }
}
