//! When what was disposed of is really gone: with the last backup that was begun before. Written down once, in the
//! disposition log, so that certificates can say so.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use crate::run::{Failure, host};
use crate::state::{Backup, BackupFilter, CopyState, Disposed, LogEntry, LogKind, State};

/// Whether a backup may hold what was in its database at an instant: it was begun before, and some store has bytes of it.
pub fn holds(backup: &Backup, at: Timestamp) -> bool {
    let is_there = |state: CopyState| match state {
        CopyState::Missing => false,
        // Pieces and damaged copies hold data all the same.
        CopyState::Writing | CopyState::Complete | CopyState::Leftover | CopyState::Bad | CopyState::Deleting => true,
    };
    backup.started_at <= at && backup.copies.iter().any(|copy| is_there(copy.state))
}

/// What no backup of its database holds any more. Pure.
fn gone<'d>(disposed: &'d [Disposed], backups: &[Backup]) -> Vec<&'d Disposed> {
    let is_gone =
        |one: &&Disposed| !backups.iter().any(|backup| backup.database == one.database && holds(backup, one.at));
    disposed.iter().filter(is_gone).collect()
}

/// Looks which of what was disposed of no backup holds any more, and writes it down. `who` had the last of them removed, or
/// found that it is. Gives how many there were.
pub async fn amend(state: &State, who: &str) -> Result<usize, Failure> {
    let disposed = state.disposed().await?;
    if disposed.is_empty() {
        return Ok(0);
    }
    let backups = state.backups(BackupFilter::All).await?;
    let gone = gone(&disposed, &backups);
    let mut together: BTreeMap<(&str, &str), Vec<&Disposed>> = BTreeMap::new();
    for one in &gone {
        together.entry((&one.policy, &one.database)).or_default().push(*one);
    }
    for ((policy, database), all) in together {
        let ids = |erasures: bool| -> Vec<&str> {
            all.iter().filter(|one| one.is_erasure == erasures).map(|one| one.id.as_str()).collect()
        };
        let entry = LogEntry {
            kind: LogKind::CopiesGone,
            policy: Some(policy.to_owned()),
            database: Some(database.to_owned()),
            run_id: None,
            who: who.to_owned(),
            host: host(),
            detail: json!({"dispositions": ids(false), "erasures": ids(true)}),
        };
        state.copies_gone(&all, Some(&entry), Timestamp::now()).await?;
    }
    Ok(gone.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{BackupState, Copy};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a second of 1970")
    }

    fn backup(database: &str, started: i64, copies: &[CopyState]) -> Backup {
        let copy = |state: &CopyState| Copy { store: "local".to_owned(), state: *state, error: None };
        Backup {
            id: format!("{database}-{started}"),
            database: database.to_owned(),
            job: None,
            manual: false,
            run_id: String::new(),
            lease: String::new(),
            state: BackupState::Complete,
            started_at: at(started),
            finished_at: None,
            manifest: None,
            pinned_at: None,
            verified_at: None,
            verified: None,
            verified_by: None,
            copies: copies.iter().map(copy).collect(),
        }
    }

    fn disposed(id: &str, second: i64) -> Disposed {
        let (id, policy, database) = (id.to_owned(), "school".to_owned(), "app".to_owned());
        Disposed { id, is_erasure: false, policy, database, at: at(second) }
    }

    #[test]
    fn what_was_disposed_of_is_gone_with_the_last_backup_that_was_begun_before() {
        let disposed = [disposed("first", 10), disposed("second", 20)];
        let left =
            |backups: &[Backup]| -> Vec<String> { gone(&disposed, backups).iter().map(|one| one.id.clone()).collect() };
        assert_eq!(left(&[]), ["first", "second"]);
        assert_eq!(left(&[backup("app", 15, &[CopyState::Complete])]), ["first"]);
        assert_eq!(left(&[backup("app", 10, &[CopyState::Complete])]), [""; 0]);
        // Another database's, a later one, and one of which nothing is anywhere.
        let others = [
            backup("other", 1, &[CopyState::Complete]),
            backup("app", 21, &[CopyState::Complete]),
            backup("app", 1, &[CopyState::Missing]),
            backup("app", 1, &[]),
        ];
        assert_eq!(left(&others), ["first", "second"]);
        // One store has it still, whole or not.
        for state in [CopyState::Writing, CopyState::Leftover, CopyState::Bad, CopyState::Deleting] {
            assert_eq!(left(&[backup("app", 1, &[CopyState::Missing, state])]), [""; 0], "{state:?}");
        }
    }
}
