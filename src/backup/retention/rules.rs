//! The rules, in the order in which they overrule each other.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::{Candidate, Reason, Standing, Verdict, before};
use crate::archive::BackupId;
use crate::archive::manifest::Purpose;
use crate::config::Retention;

/// The policy applied to a list of backups.
pub(super) struct Rules<'a> {
    policy: &'a Retention,
    now: Timestamp,
    /// The good backups of the job that are not dated in the future, the newest first: what keep rules count.
    goods: Vec<&'a Candidate>,
    /// Why each of them is kept.
    kept: BTreeMap<&'a BackupId, Vec<Reason>>,
    /// The good backups that nothing may delete.
    floor: BTreeMap<&'a BackupId, Reason>,
    /// What began after this is within `keep_within`.
    within_after: Option<Timestamp>,
    /// What began before this is older than `max_age`.
    overdue_before: Option<Timestamp>,
}

impl<'a> Rules<'a> {
    /// Prepares the rules; the backups come with the newest first.
    pub(super) fn new(policy: &'a Retention, backups: &[&'a Candidate], zone: &TimeZone, now: Timestamp) -> Self {
        let goods_of = |purpose: Purpose| {
            let good = move |backup: &&&Candidate| {
                backup.standing == Standing::Good && backup.purpose == purpose && backup.started_at <= now
            };
            backups.iter().filter(good).copied().collect::<Vec<_>>()
        };
        let (goods, manual) = (goods_of(Purpose::Job), goods_of(Purpose::Manual));
        let newest = goods.first().map(|good| good.started_at);
        // Beyond the calendar's beginning, everything is within, and nothing is too old.
        let within = |span| newest.map(|newest| before(newest, span, zone).unwrap_or(Timestamp::MIN));
        let mut rules = Self {
            policy,
            now,
            floor: floor(policy.min_good.max(1), &goods, &manual),
            kept: BTreeMap::new(),
            within_after: policy.keep_within.and_then(within),
            overdue_before: policy.max_age.and_then(|span| before(now, span, zone)),
            goods,
        };
        rules.count(zone);
        rules
    }

    /// Whether a backup should be gone by `max_age`.
    pub(super) fn is_overdue(&self, backup: &Candidate) -> bool {
        self.overdue_before.is_some_and(|limit| backup.started_at < limit)
    }

    /// The verdict on one backup.
    pub(super) fn judge(&self, backup: &Candidate) -> Verdict {
        let mut reasons = self.unconditional(backup);
        if reasons.is_empty() && self.is_overdue(backup) {
            let reason = self.policy.max_age.map_or(Reason::NotKept, Reason::TooOld);
            return Verdict { id: backup.id.clone(), keep: false, reasons: vec![reason] };
        }
        if !self.is_overdue(backup) {
            reasons.extend(self.by_rule(backup));
        }
        let keep = !reasons.is_empty();
        if !keep {
            reasons.push(match self.goods.first() {
                Some(newest) if backup.standing != Standing::Good => {
                    Reason::Superseded { standing: backup.standing, by: newest.id.clone() }
                }
                _ => Reason::NotKept,
            });
        }
        Verdict { id: backup.id.clone(), keep, reasons }
    }

    /// What keeps a backup even against `max_age`.
    fn unconditional(&self, backup: &Candidate) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if backup.pinned {
            reasons.push(Reason::Pinned);
        }
        if backup.held {
            reasons.push(Reason::Held);
        }
        if backup.started_at > self.now {
            reasons.push(Reason::Future);
        } else if self.floor.is_empty() {
            reasons.push(Reason::NoGood);
        }
        reasons.extend(self.floor.get(&backup.id).cloned());
        reasons
    }

    /// What keeps a backup unless `max_age` says otherwise.
    fn by_rule(&self, backup: &Candidate) -> Vec<Reason> {
        if backup.started_at > self.now {
            return Vec::new();
        }
        if backup.purpose == Purpose::Manual {
            return vec![Reason::Manual];
        }
        if backup.standing == Standing::Good {
            return self.kept.get(&backup.id).cloned().unwrap_or_default();
        }
        let mut reasons = Vec::new();
        match self.goods.first() {
            None if self.floor.is_empty() => {}
            Some(newest) if backup.started_at < newest.started_at => {}
            _ => reasons.push(Reason::NothingGoodSince(backup.standing)),
        }
        reasons.extend(self.within(backup));
        if !self.policy.has_keep_rule() {
            reasons.push(Reason::NoRule);
        }
        reasons
    }

    fn within(&self, backup: &Candidate) -> Option<Reason> {
        let span = self.policy.keep_within?;
        self.within_after.is_some_and(|limit| backup.started_at > limit).then_some(Reason::Within(span))
    }

    /// Fills `kept` from the keep rules.
    fn count(&mut self, zone: &TimeZone) {
        let dated: Vec<(&'a Candidate, Zoned)> =
            self.goods.iter().map(|good| (*good, good.started_at.to_zoned(zone.clone()))).collect();
        let of = self.policy.keep_last;
        for (number, (good, _)) in (1..=of).zip(&dated) {
            self.kept.entry(&good.id).or_default().push(Reason::Last { number, of });
        }
        // The hour carries its offset: in autumn one comes twice. The week's year is that of its Thursday (ISO 8601).
        let periods = [
            ("hourly", self.policy.keep_hourly, "%Y-%m-%d %H:00%:z"),
            ("daily", self.policy.keep_daily, "%Y-%m-%d"),
            ("weekly", self.policy.keep_weekly, "%G-W%V"),
            ("monthly", self.policy.keep_monthly, "%Y-%m"),
            ("yearly", self.policy.keep_yearly, "%Y"),
        ];
        for (rule, of, format) in periods.into_iter().filter(|(_, of, _)| *of > 0) {
            let mut last = None;
            let newest_of_each = dated.iter().filter_map(|(good, date)| {
                let period = date.strftime(format).to_string();
                let first = last.as_ref() != Some(&period);
                last = Some(period.clone());
                first.then_some((good, period))
            });
            for (number, (good, period)) in (1..=of).zip(newest_of_each) {
                self.kept.entry(&good.id).or_default().push(Reason::Period { rule, period, number, of });
            }
        }
        let without_rule = (!self.policy.has_keep_rule()).then_some(Reason::NoRule);
        for (good, _) in &dated {
            let reasons = self.within(good).into_iter().chain(without_rule.clone());
            self.kept.entry(&good.id).or_default().extend(reasons);
        }
    }
}

/// The newest `min_good` good backups: the job's own, and manual ones only for what is lacking; besides, the newest good
/// one of all, should that be a manual one.
fn floor<'a>(min_good: u32, goods: &[&'a Candidate], manual: &[&'a Candidate]) -> BTreeMap<&'a BackupId, Reason> {
    let reason = |index| if index == 0 { Reason::NewestGood } else { Reason::MinGood { of: min_good } };
    let newest = goods.iter().chain(manual).take(usize::try_from(min_good).unwrap_or(usize::MAX));
    let mut floor: BTreeMap<_, _> = newest.enumerate().map(|(index, good)| (&good.id, reason(index))).collect();
    if let (Some(own), Some(manual)) = (goods.first(), manual.first())
        && manual.started_at > own.started_at
    {
        floor.insert(&own.id, Reason::NewestGoodOfJob);
        floor.insert(&manual.id, Reason::NewestGood);
    }
    floor
}
