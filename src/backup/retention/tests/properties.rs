//! What holds for every policy and every list of backups.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, ToSpan};
use proptest::prelude::*;

use super::at;
use crate::archive::BackupId;
use crate::archive::manifest::Purpose;
use crate::backup::retention::{Candidate, Plan, Standing, plan};
use crate::config::Retention;

const NOW: &str = "2026-11-20T11:00:00Z";

fn backup() -> impl Strategy<Value = Candidate> {
    let age = prop_oneof![8 => 0..60 * 24 * 60_i64, 4 => 0..60 * 24 * 900_i64, 1 => -60 * 24 * 30..0_i64];
    let standing = prop_oneof![
        6 => Just(Standing::Good), 1 => Just(Standing::Partial), 1 => Just(Standing::Failed), 1 => Just(Standing::Suspect)
    ];
    let rarely = || proptest::bool::weighted(0.08);
    (age, standing, proptest::bool::weighted(0.15), rarely(), rarely()).prop_map(
        |(minutes, standing, manual, pinned, held)| {
            let started_at = at(NOW) - SignedDuration::from_mins(minutes);
            Candidate {
                id: BackupId::new(started_at),
                started_at,
                standing,
                purpose: if manual { Purpose::Manual } else { Purpose::Job },
                pinned,
                held,
            }
        },
    )
}

fn backups() -> impl Strategy<Value = Vec<Candidate>> {
    proptest::collection::vec(backup(), 0..60).prop_map(|mut all| {
        // Two that began in the same second could have drawn the same digits.
        let mut seen = BTreeSet::new();
        all.retain(|backup| seen.insert(backup.id.clone()));
        all
    })
}

fn span() -> impl Strategy<Value = Option<Span>> {
    prop_oneof![
        3 => Just(None),
        1 => (1..400_i64).prop_map(|hours| Some(hours.hours())),
        1 => (1..400_i64).prop_map(|days| Some(days.days())),
        1 => (1..24_i64).prop_map(|months| Some(months.months())),
    ]
}

fn policy() -> impl Strategy<Value = Retention> {
    let count = || prop_oneof![2 => Just(0_u32), 3 => 0..9_u32];
    let counts = (count(), count(), count(), count(), count(), count());
    (counts, span(), 0..5_u32, span()).prop_map(|(counts, keep_within, min_good, max_age)| {
        let (keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly) = counts;
        Retention {
            keep_last,
            keep_hourly,
            keep_daily,
            keep_weekly,
            keep_monthly,
            keep_yearly,
            keep_within,
            min_good,
            max_age,
        }
    })
}

fn planned(policy: &Retention, backups: &[Candidate], now: Timestamp) -> Plan {
    plan(policy, backups, &TimeZone::get("Europe/Berlin").unwrap(), now)
}

fn deleted(policy: &Retention, backups: &[Candidate]) -> BTreeSet<BackupId> {
    planned(policy, backups, at(NOW)).deletions().map(|verdict| verdict.id.clone()).collect()
}

fn good(backups: &[Candidate], purpose: Option<Purpose>) -> Vec<&Candidate> {
    let counts = |backup: &&Candidate| {
        backup.standing == Standing::Good
            && backup.started_at <= at(NOW)
            && purpose.is_none_or(|purpose| backup.purpose == purpose)
    };
    let mut good: Vec<_> = backups.iter().filter(counts).collect();
    good.sort_by_key(|backup| std::cmp::Reverse(backup.started_at));
    good
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_that_must_stay_goes(policy in policy(), backups in backups()) {
        let plan = planned(&policy, &backups, at(NOW));
        prop_assert_eq!(plan.verdicts.len(), backups.len());
        prop_assert!(plan.verdicts.iter().all(|verdict| !verdict.reasons.is_empty()));
        let gone = deleted(&policy, &backups);
        prop_assert!(backups.is_empty() || gone.len() < backups.len(), "nothing is left");
        for backup in &backups {
            let must_stay = backup.pinned || backup.held || backup.started_at > at(NOW);
            prop_assert!(!must_stay || !gone.contains(&backup.id), "{:?}", backup);
        }
        for purpose in [None, Some(Purpose::Job)] {
            let good = good(&backups, purpose);
            let left = good.iter().filter(|backup| !gone.contains(&backup.id)).count();
            let min_good = policy.min_good.max(1) as usize;
            prop_assert!(left >= min_good.min(good.len()), "{} of {} good ones are left", left, good.len());
            let newest_is_there = good.first().is_none_or(|_| {
                good.iter().any(|backup| backup.started_at == good[0].started_at && !gone.contains(&backup.id))
            });
            prop_assert!(newest_is_there);
        }
        prop_assert!(!good(&backups, None).is_empty() || gone.is_empty());
        if policy.max_age.is_none() {
            prop_assert!(backups.iter().all(|backup| backup.purpose == Purpose::Job || !gone.contains(&backup.id)));
            prop_assert!(plan.overdue.is_empty());
        }
    }

    #[test]
    fn planning_again_deletes_nothing_more(policy in policy(), backups in backups()) {
        let gone = deleted(&policy, &backups);
        let left: Vec<_> = backups.into_iter().filter(|backup| !gone.contains(&backup.id)).collect();
        prop_assert_eq!(deleted(&policy, &left), BTreeSet::new());
    }

    #[test]
    fn the_order_of_the_list_does_not_matter(policy in policy(), backups in backups()) {
        let mut reversed = backups.clone();
        reversed.reverse();
        prop_assert_eq!(planned(&policy, &backups, at(NOW)), planned(&policy, &reversed, at(NOW)));
    }

    #[test]
    fn what_is_not_good_pushes_nothing_out(policy in policy(), mut backups in backups(), mut bad in backup(), kind in 0..3) {
        let before = deleted(&policy, &backups);
        bad.standing = [Standing::Partial, Standing::Failed, Standing::Suspect][kind as usize];
        bad.id = BackupId::new(bad.started_at);
        prop_assume!(backups.iter().all(|backup| backup.id != bad.id));
        let id = bad.id.clone();
        backups.push(bad);
        let mut after = deleted(&policy, &backups);
        after.remove(&id);
        prop_assert_eq!(before, after);
    }

    #[test]
    fn a_backup_from_the_future_pushes_nothing_out(policy in policy(), mut backups in backups(), minutes in 1..5_000_000_i64) {
        let before = deleted(&policy, &backups);
        let mut future = super::backup(NOW);
        future.started_at = at(NOW) + SignedDuration::from_mins(minutes);
        future.id = BackupId::new(future.started_at);
        backups.push(future);
        prop_assert_eq!(before, deleted(&policy, &backups));
    }

    #[test]
    fn a_wider_rule_keeps_no_less(policy in policy(), backups in backups(), which in 0..7, more in 1..5_u32) {
        prop_assume!(policy.has_keep_rule());
        let mut wider = policy.clone();
        match which {
            0 => wider.keep_last += more,
            1 => wider.keep_hourly += more,
            2 => wider.keep_daily += more,
            3 => wider.keep_weekly += more,
            4 => wider.keep_monthly += more,
            5 => wider.keep_yearly += more,
            _ => wider.min_good += more,
        }
        prop_assert!(deleted(&wider, &backups).is_subset(&deleted(&policy, &backups)));
    }

    #[test]
    fn time_alone_deletes_nothing(mut policy in policy(), backups in backups(), hours in 1..20_000_i64) {
        policy.max_age = None;
        let backups: Vec<_> = backups.into_iter().filter(|backup| backup.started_at <= at(NOW)).collect();
        let later = planned(&policy, &backups, at(NOW) + SignedDuration::from_hours(hours));
        prop_assert_eq!(planned(&policy, &backups, at(NOW)), later);
    }

    #[test]
    fn what_is_too_old_goes_or_is_reported(mut policy in policy(), backups in backups(), days in 1..400_i64) {
        policy.max_age = Some((days * 24).hours());
        let plan = planned(&policy, &backups, at(NOW));
        let limit = at(NOW) - SignedDuration::from_hours(days * 24);
        let old: BTreeSet<_> = backups.iter().filter(|backup| backup.started_at < limit).map(|backup| &backup.id).collect();
        let stays: BTreeSet<_> = plan.verdicts.iter().filter(|verdict| verdict.keep).map(|verdict| &verdict.id).collect();
        let reported: BTreeSet<_> = plan.overdue.iter().map(|overdue| &overdue.id).collect();
        prop_assert_eq!(old.intersection(&stays).copied().collect::<BTreeSet<_>>(), reported);
    }
}
