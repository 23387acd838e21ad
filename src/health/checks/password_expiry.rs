//! Passwords of roles that will not be accepted any more (`VALID UNTIL`).

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::figure;
use crate::health::{PostgresView, Seen, Unseen, Verdict};
use crate::state::Status;

pub(super) const CHECK: Check = Check {
    name: CheckName::PasswordExpiry,
    about: "time until a role's password ends",
    deep: false,
    warning: Some(14.0 * 86_400.0),
    critical: Some(3.0 * 86_400.0),
    source: "two weeks are enough to change it in an application by day, three days are not enough after a weekend",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// What ended longer ago is how somebody was locked out on purpose.
const LONG_AGO: f64 = 30.0 * 86_400.0;

/// pg_roles masks the password and shows the date to everybody. An epoch, because the date may be `infinity`.
const ROLES: &str = "SELECT rolname::text AS role, extract(epoch FROM rolvaliduntil)::float8 AS until
    FROM pg_roles WHERE rolcanlogin AND isfinite(rolvaliduntil) ORDER BY rolvaliduntil, 1";

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let now = crate::health::view::epoch(view.own.now);
    let mut found: Vec<(f64, String)> = Vec::new();
    let mut evidence = Vec::new();
    for row in &view.rows(ROLES).await? {
        let (role, until): (String, f64) = (figure(row, "role")?, figure(row, "until")?);
        if view.own.exclude.leaves_out(&role) {
            continue;
        }
        let left = until - now;
        let length = crate::units::seconds(left.abs());
        let line = if left < 0.0 {
            format!("the password of {role} ended {length} ago")
        } else {
            format!("the password of {role} ends in {length}")
        };
        if evidence.len() < 10 {
            evidence.push(line.clone());
        }
        if left > -LONG_AGO {
            found.push((left, line));
        }
    }
    let Some((left, summary)) = found.into_iter().next() else {
        if evidence.is_empty() {
            return Err(Unseen::not_applicable("no role's password has an end"));
        }
        let summary = "the only passwords with an end ended long ago";
        return Ok(Verdict::new(Status::Ok, summary).evidence(evidence));
    };
    Ok(Verdict::new(view.own.limits.judge(left), summary)
        .figure(left)
        .evidence(evidence)
        .advice("set a new password, and with it a new date: ALTER ROLE … VALID UNTIL '…'"))
}
