//! What must be there before rows go.

use jiff::{Span, Timestamp};

use crate::config::PrivacyPolicy;
use crate::run::{Failure, Refusal};
use crate::state::{BackupFilter, BackupState, State, Verification};

/// Whether the backups that the policy requires exist.
pub async fn backups(policy: &PrivacyPolicy, state: &State) -> Result<(), Failure> {
    let now = Timestamp::now();
    let since = |span: Span| {
        let zoned = now.to_zoned(policy.timezone.clone());
        zoned.checked_sub(span).map_or(Timestamp::MIN, |from| from.timestamp())
    };
    let name = policy.database.as_str();
    let backups = state.backups(BackupFilter::Database(name)).await?;
    let good = backups.iter().filter(|backup| backup.state == BackupState::Complete);
    let refused = |what: &str, span: Span| Failure {
        refused: Some(Refusal::Safety),
        ..Failure::new(format!("the database {name} has no {what} backup of the last {span:#}: nothing was done"))
            .hint(format!("`caretaker backup now {name}`, and see why the scheduled ones did not come"))
    };
    if let Some(span) = policy.requires_backup_within
        && !good.clone().any(|backup| backup.started_at >= since(span))
    {
        return Err(refused("good", span));
    }
    if let Some(span) = policy.requires_proof_within
        && !good.clone().any(|backup| {
            backup.verified == Some(Verification::Good) && backup.verified_at.is_some_and(|at| at >= since(span))
        })
    {
        return Err(refused("proven", span));
    }
    Ok(())
}
