//! A primary's standbys and subscribers: those that are connected, and those that were.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use sqlx::postgres::PgRow;

use crate::health::view::{figure, optional};
use crate::health::{OwnView, PostgresView, Seen, Unseen, Verdict};
use crate::state::Status;
use crate::units;

/// How long a standby that is gone is asked after. One that is gone on purpose is to be excluded.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A walsender that has heard nothing for longer than this talks to nobody: standbys report every 10 s
/// (wal_receiver_status_interval).
const SILENT: f64 = 30.0;

/// What comes and goes by design is not a standby: base backups, the first copy of a subscription's table, ourselves.
/// Without pg_monitor all but name and role are NULL.
const STANDBYS: &str = "SELECT CASE application_name WHEN 'walreceiver' THEN 'walreceiver@' || coalesce(host(client_addr), 'local')
            ELSE application_name END AS name, coalesce(host(client_addr), 'local') AS client, state, sync_state,
        pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(replay_lsn, write_lsn, sent_lsn))::float8 AS bytes,
        pg_wal_lsn_diff(coalesce(replay_lsn, write_lsn, sent_lsn), '0/0')::float8 AS position,
        extract(epoch FROM replay_lag)::float8 AS lag, extract(epoch FROM clock_timestamp() - reply_time)::float8 AS silent
    FROM pg_stat_replication
    WHERE application_name NOT LIKE 'pg\\_basebackup%' AND application_name NOT LIKE 'pg\\_%\\_sync\\_%'
        AND application_name NOT LIKE 'caretaker%' AND state IS DISTINCT FROM 'backup'
    ORDER BY 1";

/// Whether commits wait for somebody.
const SYNCHRONOUS: &str = "SELECT current_setting('synchronous_standby_names') AS names,
    current_setting('synchronous_commit') IN ('on', 'remote_write', 'remote_apply') AS waits";

/// One connected standby.
struct Standby {
    name: String,
    client: String,
    state: String,
    sync: String,
    bytes: f64,
    seconds: f64,
    /// Where it is, if it is behind and the server does not say for how long.
    undated: Option<f64>,
}

impl Standby {
    fn read(row: &PgRow) -> Result<Self, Unseen> {
        let bytes: f64 = optional(row, "bytes")?.unwrap_or(0.0);
        let lag: Option<f64> = optional(row, "lag")?;
        let position: Option<f64> = optional(row, "position")?;
        let silent = optional(row, "silent")?.filter(|silent| *silent > SILENT).unwrap_or(0.0);
        Ok(Self {
            name: figure(row, "name")?,
            client: figure(row, "client")?,
            state: figure(row, "state")?,
            sync: figure(row, "sync_state")?,
            bytes,
            // An idle primary's lag is that of its last change, however long ago: without bytes there is none.
            seconds: if bytes > 0.0 { lag.unwrap_or(0.0).max(silent) } else { 0.0 },
            undated: position.filter(|_| bytes > 0.0 && lag.is_none()),
        })
    }
}

impl std::fmt::Display for Standby {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (bytes, seconds) = (units::bytes(self.bytes), units::seconds(self.seconds));
        write!(f, "{} ({}): {}, {}, ", self.name, self.client, self.state, self.sync)?;
        match self.undated {
            Some(_) if self.seconds == 0.0 => write!(f, "{bytes} behind, for how long shows with the next looks"),
            _ => write!(f, "{bytes} and {seconds} behind"),
        }
    }
}

pub(super) async fn look(view: &mut PostgresView<'_>) -> Seen {
    let mut standbys = standbys(view).await?;
    date(&mut view.own, &mut standbys).await?;
    let gone = gone(&mut view.own, &standbys).await?;
    let row = view.row(SYNCHRONOUS).await?;
    let names: String = figure(&row, "names")?;
    let waits = !names.is_empty()
        && figure(&row, "waits")?
        && !standbys.iter().any(|standby| standby.sync == "sync" || standby.sync == "quorum");
    if standbys.is_empty() && gone.is_empty() && !waits {
        return Err(Unseen::not_applicable("no standby is connected, and none is remembered"));
    }
    let longest = standbys.iter().map(|standby| standby.seconds).fold(0.0, f64::max);
    let mut lines: Vec<String> = standbys.iter().map(ToString::to_string).collect();
    lines.extend(gone.iter().cloned());
    if waits {
        lines.push(format!("synchronous_standby_names is {names}, and none of them is there: commits wait"));
        let summary = "no synchronous standby is connected: commits wait";
        return Ok(Verdict::new(Status::Critical, summary).evidence(lines).advice(GONE));
    }
    match gone.len() {
        0 => {
            let count = standbys.len();
            let summary = format!("{count} connected, at most {} behind", units::seconds(longest));
            let verdict = Verdict::new(view.own.limits.judge(longest), summary).figure(longest);
            Ok(verdict
                .evidence(lines)
                .advice("look at the standby's disk, its queries (they can hold up replay), and the network"))
        }
        missing => {
            let summary = format!("{missing} no longer connected, {} connected", standbys.len());
            Ok(Verdict::new(Status::Critical, summary).figure(longest).evidence(lines).advice(GONE))
        }
    }
}

const GONE: &str = "see whether the standby runs, what its log says, and whether the WAL it needs is still there; one that is \
                    gone on purpose goes into `exclude`";

pub(super) async fn look_bytes(view: &mut PostgresView<'_>) -> Seen {
    let standbys = standbys(view).await?;
    let Some(furthest) = standbys.iter().max_by(|a, b| a.bytes.total_cmp(&b.bytes)) else {
        return Err(Unseen::not_applicable("no standby is connected"));
    };
    let summary = format!("{} is {} behind", furthest.name, units::bytes(furthest.bytes));
    Ok(Verdict::new(view.own.limits.judge(furthest.bytes), summary)
        .figure(furthest.bytes)
        .evidence(standbys.iter().map(ToString::to_string))
        .advice("look at the standby's disk, its queries (they can hold up replay), and the network"))
}

async fn standbys(view: &mut PostgresView<'_>) -> Result<Vec<Standby>, Unseen> {
    let rows = view.rows(STANDBYS).await?;
    let mut standbys = rows.iter().map(Standby::read).collect::<Result<Vec<_>, _>>()?;
    standbys.retain(|standby| !view.own.exclude.leaves_out(&standby.name));
    Ok(standbys)
}

/// A standby that stops replaying after a quiet time has no `replay_lag`, however far it falls behind: the server measures
/// by what is replayed. What counts then is since when it has been seen behind at the same position.
async fn date(view: &mut OwnView<'_>, standbys: &mut [Standby]) -> Result<(), Unseen> {
    let stuck = view.latest("standby_stuck", view.now - REMEMBERED).await?;
    for standby in standbys {
        let Some(position) = standby.undated else { continue };
        #[allow(clippy::float_cmp, reason = "kept as it came")]
        match stuck.get(&standby.name).filter(|sample| sample.value == position) {
            Some(since) => standby.seconds = standby.seconds.max(view.now.duration_since(since.at).as_secs_f64()),
            None => view.keep_latest("standby_stuck", &standby.name, position),
        }
    }
    Ok(())
}

/// Remembers those that are there, and gives a line for each that was there before and is not.
async fn gone(view: &mut OwnView<'_>, standbys: &[Standby]) -> Result<Vec<String>, Unseen> {
    let mut there: BTreeMap<String, f64> = BTreeMap::new();
    for standby in standbys {
        *there.entry(standby.name.clone()).or_default() += 1.0;
    }
    let known = view.latest("standby", view.now - REMEMBERED).await?;
    let before: BTreeMap<String, f64> = known
        .values()
        .filter(|sample| sample.value > 0.0 && !view.exclude.leaves_out(&sample.object))
        .map(|sample| (sample.object.clone(), sample.value))
        .collect();
    let Roll { remember, missing } = call_the_roll(&before, &there);
    for (name, count) in remember {
        view.keep_latest("standby", &name, count);
    }
    let line = |name: String| {
        let (left, complete) = (there.get(&name).copied().unwrap_or(0.0), before[&name]);
        let last = known[&name].at.strftime("%Y-%m-%d %H:%M UTC");
        if left > 0.0 {
            format!("{name}: {left} of {complete} left, complete {last}")
        } else {
            format!("{name}: gone, last seen {last}")
        }
    };
    Ok(missing.into_iter().map(line).collect())
}

/// What follows from who was there before and who is there now.
#[derive(Debug, PartialEq)]
struct Roll {
    /// How many of each name to remember from now on; 0 forgets one that was replaced.
    remember: Vec<(String, f64)>,
    /// The names of which some are missing.
    missing: Vec<String>,
}

/// By number first: after a switch of primary and standby the old name never comes back, but somebody else does. As long
/// as there are too few, nobody new is remembered, or the newcomers would be missed together with those they replace.
fn call_the_roll(before: &BTreeMap<String, f64>, there: &BTreeMap<String, f64>) -> Roll {
    let short: Vec<String> = before
        .iter()
        .filter(|(name, count)| there.get(*name).is_none_or(|left| left < *count))
        .map(|(n, _)| n.clone())
        .collect();
    if there.values().sum::<f64>() >= before.values().sum() {
        let forgotten = short.into_iter().filter(|name| !there.contains_key(name)).map(|name| (name, 0.0));
        let remember = there.iter().map(|(name, count)| (name.clone(), *count)).chain(forgotten).collect();
        return Roll { remember, missing: Vec::new() };
    }
    let complete = there.iter().filter(|(name, count)| before.get(*name).is_some_and(|before| *count >= before));
    let remember = complete.map(|(name, count)| (name.clone(), *count)).collect();
    Roll { remember, missing: short }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[(&str, f64)]) -> BTreeMap<String, f64> {
        names.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn who_is_missing_is_missed_until_somebody_takes_the_place() {
        let one = |name| (name, 1.0);
        for (before, there, remember, missing) in [
            (&[][..], &[one("a")][..], &[one("a")][..], &[][..]),
            (&[one("a"), one("b")], &[one("a"), one("b")], &[one("a"), one("b")], &[]),
            (&[one("a"), one("b")], &[one("a")], &[one("a")], &["b"]),
            (&[one("a")], &[], &[], &["a"]),
            // A switch, a replacement, and a rolling one.
            (&[one("b")], &[one("a")], &[one("a"), ("b", 0.0)], &[]),
            (&[one("a"), one("b")], &[one("c")], &[], &["a", "b"]),
            (&[one("a"), one("b")], &[one("c"), one("d")], &[one("c"), one("d"), ("a", 0.0), ("b", 0.0)], &[]),
            // Several of one name.
            (&[("a", 2.0)], &[one("a")], &[], &["a"]),
            (&[("a", 2.0)], &[("a", 3.0)], &[("a", 3.0)], &[]),
        ] {
            let expected = Roll {
                remember: remember.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
                missing: missing.iter().map(|name: &&str| (*name).to_owned()).collect(),
            };
            assert_eq!(call_the_roll(&names(before), &names(there)), expected, "{before:?} {there:?}");
        }
    }
}
