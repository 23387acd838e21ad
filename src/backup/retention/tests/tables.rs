//! Each rule as a table.

use jiff::ToSpan;

use super::{at, backups, nightly, shown, table};
use crate::backup::retention::plan;
use crate::config::Retention;

#[test]
fn keep_last_keeps_the_newest() {
    insta::assert_snapshot!(table(&Retention { keep_last: 3, ..Retention::default() }, &nightly(5)));
}

#[test]
fn keep_hourly_keeps_the_newest_of_each_hour_that_has_one() {
    let backups = backups(&[
        "2026-11-20T10:50:00Z",
        "2026-11-20T10:10:00Z",
        "2026-11-20T09:59:00Z",
        "2026-11-20T06:00:00Z",
        "2026-11-20T05:30:00Z",
    ]);
    insta::assert_snapshot!(table(&Retention { keep_hourly: 3, ..Retention::default() }, &backups));
}

#[test]
fn the_hour_that_comes_twice_in_autumn_is_two_hours() {
    let backups = backups(&["2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z", "2026-10-24T23:30:00Z"]);
    insta::assert_snapshot!(table(&Retention { keep_hourly: 2, ..Retention::default() }, &backups));
}

#[test]
fn keep_daily_counts_days_of_the_zone_that_have_one() {
    let backups = backups(&[
        "2026-11-19T23:30:00Z",
        "2026-11-19T22:30:00Z",
        "2026-11-19T02:00:00Z",
        "2026-11-15T02:00:00Z",
        "2026-11-14T02:00:00Z",
    ]);
    insta::assert_snapshot!(table(&Retention { keep_daily: 3, ..Retention::default() }, &backups));
}

#[test]
fn keep_weekly_counts_iso_weeks() {
    let policy = Retention { keep_weekly: 2, ..Retention::default() };
    let new_year =
        backups(&["2026-01-04T02:00:00Z", "2025-12-29T02:00:00Z", "2025-12-28T02:00:00Z", "2025-12-21T02:00:00Z"]);
    insta::assert_snapshot!(format!("{}\n{}", table(&policy, &nightly(16)), table(&policy, &new_year)));
}

#[test]
fn keep_monthly_and_yearly_keep_the_newest_of_each() {
    let policy = Retention { keep_monthly: 3, keep_yearly: 3, ..Retention::default() };
    let backups = backups(&[
        "2026-11-20T02:00:00Z",
        "2026-10-31T23:30:00Z",
        "2026-10-31T02:00:00Z",
        "2026-09-30T02:00:00Z",
        "2026-08-31T02:00:00Z",
        "2025-12-31T23:30:00Z",
        "2025-12-31T02:00:00Z",
        "2025-06-30T02:00:00Z",
        "2024-02-29T02:00:00Z",
    ]);
    insta::assert_snapshot!(table(&policy, &backups));
}

#[test]
fn keep_within_looks_back_from_the_newest_good_one() {
    let mut backups = nightly(5);
    backups.drain(..2);
    insta::assert_snapshot!(table(&Retention { keep_within: Some(48.hours()), ..Retention::default() }, &backups));
}

#[test]
fn rules_add_up() {
    insta::assert_snapshot!(table(&Retention::preset("gfs").unwrap(), &nightly(80)));
}

#[test]
fn no_rule_keeps_everything() {
    insta::assert_snapshot!(table(&Retention::default(), &nightly(3)));
}

#[test]
fn pins_and_holds_stay_and_do_not_count_twice() {
    let backups = backups(&[
        "2026-11-20T02:00:00Z",
        "2026-11-19T02:00:00Z pinned",
        "2026-11-18T02:00:00Z",
        "2026-11-17T02:00:00Z held",
        "2026-11-16T02:00:00Z partial pinned",
    ]);
    insta::assert_snapshot!(table(&Retention { keep_last: 2, ..Retention::default() }, &backups));
}

#[test]
fn manual_backups_neither_count_nor_go() {
    let backups = backups(&[
        "2026-11-20T09:00:00Z manual",
        "2026-11-20T02:00:00Z",
        "2026-11-19T09:00:00Z manual partial",
        "2026-11-19T02:00:00Z",
        "2026-11-18T02:00:00Z",
    ]);
    insta::assert_snapshot!(table(&Retention { keep_last: 2, ..Retention::default() }, &backups));
}

#[test]
fn what_is_not_good_never_counts_and_goes_when_a_good_one_follows() {
    let backups = backups(&[
        "2026-11-20T02:00:00Z partial",
        "2026-11-19T02:00:00Z suspect",
        "2026-11-18T02:00:00Z",
        "2026-11-17T02:00:00Z failed",
        "2026-11-16T02:00:00Z partial",
        "2026-11-15T02:00:00Z suspect",
        "2026-11-14T02:00:00Z",
        "2026-11-13T02:00:00Z",
    ]);
    let policy = Retention { keep_last: 2, keep_within: Some(36.hours()), ..Retention::default() };
    insta::assert_snapshot!(table(&policy, &backups));
}

#[test]
fn without_a_good_one_nothing_goes() {
    let policy = Retention { keep_last: 1, max_age: Some(1.day()), ..Retention::default() };
    let backups =
        backups(&["2026-11-20T02:00:00Z partial", "2026-11-10T02:00:00Z failed", "2026-11-01T02:00:00Z suspect"]);
    insta::assert_snapshot!(table(&policy, &backups));
}

#[test]
fn min_good_holds_against_a_narrower_rule() {
    insta::assert_snapshot!(table(&Retention { keep_last: 1, min_good: 3, ..Retention::default() }, &nightly(5)));
}

#[test]
fn max_age_overrules_all_but_the_last_good_ones_pins_and_holds() {
    let backups = backups(&[
        "2026-11-05T02:00:00Z partial",
        "2026-11-04T02:00:00Z",
        "2026-11-03T02:00:00Z",
        "2026-11-02T02:00:00Z",
        "2026-11-01T09:00:00Z manual",
        "2026-11-01T02:00:00Z pinned",
        "2026-10-31T02:00:00Z held",
    ]);
    let policy = Retention { keep_last: 9, min_good: 2, max_age: Some(7.days()), ..Retention::default() };
    insta::assert_snapshot!(table(&policy, &backups));
}

#[test]
fn max_age_alone_keeps_what_is_younger() {
    insta::assert_snapshot!(table(&Retention { max_age: Some(2.days()), ..Retention::default() }, &nightly(4)));
}

#[test]
fn max_age_spares_the_newest_good_one_though_it_is_manual() {
    let policy = Retention { keep_last: 1, max_age: Some(7.days()), ..Retention::default() };
    let backups = backups(&["2026-11-05T02:00:00Z manual", "2026-11-04T02:00:00Z", "2026-11-03T02:00:00Z manual"]);
    insta::assert_snapshot!(table(&policy, &backups));
}

#[test]
fn a_backup_from_the_future_stays_and_takes_nobody_s_place() {
    let backups = backups(&[
        "2040-01-01T02:00:00Z",
        "2026-11-20T02:00:00Z partial",
        "2026-11-19T02:00:00Z",
        "2026-11-18T02:00:00Z",
        "2026-11-17T02:00:00Z",
    ]);
    insta::assert_snapshot!(table(&Retention { keep_last: 2, ..Retention::default() }, &backups));
}

#[test]
fn ordinary_presets() {
    let named = |name: &str| table(&Retention::preset(name).unwrap(), &nightly(5));
    insta::assert_snapshot!(["2 days", "last 2"].map(|name| format!("{name}\n{}", named(name))).join("\n"));
    for name in ["7 days", "30 days", "1 day", "last 10", "gfs"] {
        assert!(Retention::preset(name).is_some(), "{name}");
    }
    for name in ["", "0 days", "last 0", "last", "days", "-1 days", "7", "7 weeks", "last 99999999999", "GFS 2"] {
        assert!(Retention::preset(name).is_none(), "{name}");
    }
}

#[test]
fn days_are_those_of_the_zone() {
    let zone = jiff::tz::TimeZone::get("Pacific/Auckland").unwrap();
    let backups = backups(&["2026-11-20T10:30:00Z", "2026-11-20T02:00:00Z", "2026-11-19T12:00:00Z"]);
    let policy = Retention { keep_daily: 2, ..Retention::default() };
    insta::assert_snapshot!(shown(&plan(&policy, &backups, &zone, at("2026-11-20T11:00:00Z")), &backups, &zone));
}
