//! Settings that were changed and take effect only after a restart, which may come at a bad moment.

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::{figure, optional};
use crate::health::{PostgresView, Seen, Unseen, Verdict};
use crate::state::Status;

pub(super) const CHECK: Check = Check {
    name: CheckName::PendingRestart,
    about: "settings that wait for a restart",
    deep: false,
    warning: Some(1.0),
    critical: None,
    source: "a server that would come up otherwise than it runs is a surprise for the next night",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

const PENDING: &str = "SELECT name, setting, coalesce(unit, '') AS unit, sourcefile
    FROM pg_settings WHERE pending_restart ORDER BY name";

#[allow(clippy::cast_precision_loss, reason = "a few settings")]
async fn look(view: &mut PostgresView<'_>) -> Seen {
    let mut evidence = Vec::new();
    for row in &view.rows(PENDING).await? {
        let (name, setting, unit): (String, String, String) =
            (figure(row, "name")?, figure(row, "setting")?, figure(row, "unit")?);
        if view.own.exclude.leaves_out(&name) {
            continue;
        }
        let file = optional::<String>(row, "sourcefile")?.map(|file| format!(" (from {file})")).unwrap_or_default();
        let unit = if unit.is_empty() { unit } else { format!(" × {unit}") };
        evidence.push(format!("{name}: still {setting}{unit}{file} until the restart"));
    }
    let count = evidence.len() as f64;
    let status = view.own.limits.judge(count);
    // Some settings' rows, shared_preload_libraries among them, are left out of the view for others.
    if status == Status::Ok && !view.has_role("pg_read_all_settings").await? {
        let why = "some settings are hidden from this role, and may be among those that wait";
        return Err(Unseen::unknown(why).cure(super::MONITOR));
    }
    let summary = match evidence.len() {
        0 => "no setting waits for a restart".to_owned(),
        1 => "1 setting waits for a restart".to_owned(),
        more => format!("{more} settings wait for a restart"),
    };
    Ok(Verdict::new(status, summary).figure(count).evidence(evidence).advice(
        "restart the server at a time of your choice, or set it to what it still is: taking it out of the file alone \
             leaves it marked until the restart",
    ))
}
