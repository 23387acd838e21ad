//! A standby: whether a WAL receiver lives, and how far replay is behind.

use std::time::Duration;

use crate::health::view::{figure, optional};
use crate::health::{PostgresView, Seen, Unseen, Verdict};
use crate::state::Status;
use crate::units;

/// A receiver that has heard nothing for longer than this is cut off: it asks the primary for a sign of life at half of
/// wal_receiver_timeout, 30 s by default.
const SILENT: f64 = 60.0;

/// `behind`: bytes that the primary is known to have and that are not replayed. `since`: the last replayed transaction's
/// age, which says nothing by itself: on an idle primary it grows, on a severed standby it is frozen.
/// A standby that has replayed none since its start may be behind since then.
/// primary_conninfo holds secrets and is only asked whether it is there; who may not read settings gets NULL.
const RECEIVER: &str = "SELECT r.pid IS NOT NULL AS receiving, r.status, r.sender_host AS sender,
        extract(epoch FROM clock_timestamp() - r.last_msg_receipt_time)::float8 AS silent,
        pg_wal_lsn_diff(greatest(r.latest_end_lsn, pg_last_wal_receive_lsn()), pg_last_wal_replay_lsn())::float8 AS behind,
        pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')::float8 AS received,
        pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::float8 AS replayed,
        extract(epoch FROM clock_timestamp() - coalesce(pg_last_xact_replay_timestamp(), pg_postmaster_start_time()))::float8 AS since,
        pg_last_xact_replay_timestamp() IS NOT NULL AS transactions,
        pg_is_wal_replay_paused() AS paused,
        (SELECT setting = '' FROM pg_settings WHERE name = 'primary_conninfo') AS archive_only
    FROM (SELECT 1) one LEFT JOIN pg_stat_wal_receiver r ON true";

/// What a standby is seen to be.
struct Receiver {
    receiving: bool,
    status: Option<String>,
    sender: Option<String>,
    silent: f64,
    behind: Option<f64>,
    received: f64,
    replayed: f64,
    since: f64,
    transactions: bool,
    paused: bool,
    archive_only: bool,
}

impl Receiver {
    async fn ask(view: &mut PostgresView<'_>) -> Result<Self, Unseen> {
        let row = view.row(RECEIVER).await?;
        let receiver = Self {
            receiving: figure(&row, "receiving")?,
            status: optional(&row, "status")?,
            sender: optional(&row, "sender")?,
            silent: optional(&row, "silent")?.unwrap_or(0.0),
            behind: optional(&row, "behind")?,
            received: optional(&row, "received")?.unwrap_or(0.0),
            replayed: optional(&row, "replayed")?.unwrap_or(0.0),
            since: figure(&row, "since")?,
            transactions: figure(&row, "transactions")?,
            paused: figure(&row, "paused")?,
            archive_only: optional(&row, "archive_only")?.unwrap_or(false),
        };
        if receiver.receiving && receiver.status.is_none() {
            return Err(
                Unseen::unknown("the WAL receiver's state is hidden from this role").cure(super::super::MONITOR)
            );
        }
        Ok(receiver)
    }

    /// Why nothing comes in, if nothing does.
    fn severed(&self) -> Option<String> {
        match self.status.as_deref() {
            _ if self.archive_only => None,
            None => Some("no WAL receiver: this standby is cut off".to_owned()),
            Some("streaming") if self.silent <= SILENT => None,
            Some("streaming") => Some(format!("the primary has been silent for {}", units::seconds(self.silent))),
            Some(other) => Some(format!("the WAL receiver is {other}, not streaming")),
        }
    }

    fn lines(&self) -> Vec<String> {
        let replayed = if self.transactions {
            format!("the last replayed transaction is {} old", units::seconds(self.since))
        } else {
            format!("no transaction was replayed since the start {} ago", units::seconds(self.since))
        };
        let receiver = self
            .status
            .as_ref()
            .map(|status| format!("WAL receiver {status}, from {}", self.sender.as_deref().unwrap_or("its primary")));
        let paused = self.paused.then(|| "replay is paused (pg_wal_replay_resume() lets it go on)".to_owned());
        let archive = self.archive_only.then(|| "no primary_conninfo: WAL comes from an archive".to_owned());
        [receiver, archive, paused, Some(replayed)].into_iter().flatten().collect()
    }
}

const ADVICE: &str = "see the standby's log; whether the primary runs and lets it in; whether the WAL it needs is still there \
                      (if not, it must be made anew)";

pub(super) async fn look(view: &mut PostgresView<'_>) -> Seen {
    let first = Receiver::ask(view).await?;
    if let Some(why) = first.severed() {
        return Ok(Verdict::new(Status::Critical, why).evidence(first.lines()).advice(ADVICE));
    }
    let mut lag = lag(&first);
    let mut receiver = first;
    if view.own.limits.judge(lag) > Status::Ok && !receiver.archive_only {
        // A change that arrives just now after a quiet night makes the last transaction look old: has it been replayed a
        // moment later, there was no lag.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let second = Receiver::ask(view).await?;
        lag = if second.replayed >= receiver.received { 0.0 } else { self::lag(&second) };
        receiver = second;
    }
    let mut summary = format!("replay is {} behind", units::seconds(lag));
    if receiver.paused {
        summary.push_str(", and paused");
    }
    let advice = "see what holds up replay: queries on the standby (max_standby_streaming_delay), its disk, a pause";
    let verdict = Verdict::new(view.own.limits.judge(lag), summary).figure(lag);
    Ok(verdict.evidence(receiver.lines()).advice(advice))
}

/// Without WAL to replay there is no lag. From an archive nobody says how much there is, so the last transaction counts.
fn lag(receiver: &Receiver) -> f64 {
    match receiver.behind {
        Some(behind) if behind <= 0.0 && !receiver.archive_only => 0.0,
        _ => receiver.since,
    }
}

pub(super) async fn look_bytes(view: &mut PostgresView<'_>) -> Seen {
    let receiver = Receiver::ask(view).await?;
    if receiver.archive_only {
        return Err(Unseen::not_applicable("WAL comes from an archive, and nobody says how much there is"));
    }
    if let Some(why) = receiver.severed() {
        return Err(Unseen::unknown(why).cure("see the check `replication`"));
    }
    let behind = receiver.behind.unwrap_or(0.0).max(0.0);
    let summary = format!("{} of WAL are not replayed", units::bytes(behind));
    let verdict = Verdict::new(view.own.limits.judge(behind), summary).figure(behind);
    Ok(verdict.evidence(receiver.lines()).advice(ADVICE))
}
