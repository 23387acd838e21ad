//! Free space where state, local stores and a SQLite database are.

use super::{Check, LookAt, volumes};
use crate::config::CheckName;
use crate::health::{OwnView, Seen, Unseen, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::DiskFree,
    about: "free space where the state directory, the local stores and a SQLite database are",
    deep: false,
    warning: Some(0.10),
    critical: Some(0.05),
    source: "the node exporter's alerts begin at 5 % and 3 %; a backup needs room for a whole copy more",
    look: LookAt { postgres: None, sqlite: None, own: Some(|view| Box::pin(look(view))) },
};

async fn look(view: &mut OwnView<'_>) -> Seen {
    let mut lines: Vec<(f64, String)> = Vec::new();
    for volume in volumes::of(view).await? {
        let share = if volume.size > 0.0 { volume.free / volume.size } else { 0.0 };
        let (free, size) = (crate::units::bytes(volume.free), crate::units::bytes(volume.size));
        lines.push((share, format!("{}: {free} of {size} free, {}", volume.what, crate::units::share(share))));
    }
    lines.sort_by(|one, other| one.0.total_cmp(&other.0));
    let Some((share, summary)) = lines.first().cloned() else {
        return Err(Unseen::not_applicable("every volume is excluded"));
    };
    let evidence = lines.into_iter().map(|(_, line)| line);
    Ok(Verdict::new(view.limits.judge(share), summary)
        .figure(share)
        .evidence(evidence)
        .advice("free or add space; a shorter `retention` takes effect with `caretaker backup prune --apply`"))
}
