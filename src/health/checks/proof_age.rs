//! Age of the newest proof that a backup can be read and restored.

use super::{Check, LookAt, backup_age, scheduled};
use crate::config::CheckName;
use crate::health::view::known;
use crate::health::{OwnView, Seen, Unseen, Verdict};
use crate::state::{BackupFilter, Status, Verification};

pub(super) const CHECK: Check = Check {
    name: CheckName::ProofAge,
    about: "age of the newest proof that a backup can be restored",
    deep: false,
    warning: Some(8.0 * 86_400.0),
    critical: Some(32.0 * 86_400.0),
    source: "a proof each week, and a day for it; a month without one is a backup on trust",
    look: LookAt { postgres: None, sqlite: None, own: Some(|view| Box::pin(look(view))) },
};

async fn look(view: &mut OwnView<'_>) -> Seen {
    if scheduled::backups(view.config, &view.database.name).is_empty() {
        return Err(Unseen::not_applicable("no backup job of this database"));
    }
    let backups = known(view.state.backups(BackupFilter::Database(view.database.name.as_str())).await)?;
    let verified = || backups.iter().filter(|backup| backup.verified.is_some());
    let last = verified().max_by_key(|backup| backup.verified_at);
    let good = verified()
        .filter(|backup| backup.verified == Some(Verification::Good))
        .filter_map(|backup| Some((backup.verified_at?, backup)))
        .max_by_key(|(at, _)| *at);
    let evidence = verified().take(5).map(|backup| {
        let at = backup.verified_at.map(|at| format!(" at {at}")).unwrap_or_default();
        let found = backup.verified.map_or("", Verification::as_str);
        format!("{}: found {found}{at}", backup.id)
    });
    let (since, summary) = match good {
        Some((at, backup)) => (at, format!("the last proof, of {}, is", backup.id)),
        // As long as there have been backups, they have been on trust.
        None => match backups.iter().filter(|backup| backup_age::is_good(backup)).map(|backup| backup.started_at).min()
        {
            Some(at) => (at, "no backup was ever proven; the oldest is".to_owned()),
            None => return Err(Unseen::not_applicable("there is no backup to prove yet")),
        },
    };
    let age = view.now.duration_since(since).as_secs_f64();
    let status = view.limits.judge(age);
    let summary = format!("{summary} {} old", crate::units::seconds(age));
    let (status, summary) = match last {
        Some(last) if last.verified == Some(Verification::Bad) => {
            (status.max(Status::Warning), format!("the last one looked at, {}, was found bad; {summary}", last.id))
        }
        _ => (status, summary),
    };
    let verdict = Verdict::new(status, summary).figure(age).evidence(evidence);
    Ok(verdict.advice("`caretaker backup verify latest` restores the newest and compares it with what was dumped"))
}
