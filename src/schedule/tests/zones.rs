//! Both daylight-saving changes, and everything checked against a slow walk through every second.

use std::time::Instant;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::prelude::*;
use rstest::rstest;

use super::super::Schedule;
use super::{at, schedule, zone};

/// The occurrences within some hours, as the zone's own clock shows them.
fn shown(text: &str, zone_name: &str, from: &str, hours: i64) -> Vec<String> {
    let zone = zone(zone_name);
    let from: jiff::civil::DateTime = from.parse().unwrap();
    let from = from.to_zoned(zone.clone()).unwrap().timestamp() - 1.seconds();
    schedule(text)
        .occurrences(&zone, from)
        .take_while(|slot| *slot <= from + hours.hours())
        .map(|slot| slot.to_zoned(zone.clone()).strftime("%d %H:%M%:z").to_string())
        .collect()
}

#[rstest]
// Spring: 02:00 to 03:00 does not exist in Berlin on 28 March 2027.
#[case("30 2 * * *", "Europe/Berlin", "2027-03-28T00:00", &["28 03:00+02:00"])]
#[case("30 2,14 * * *", "Europe/Berlin", "2027-03-28T00:00", &["28 03:00+02:00", "28 14:30+02:00"])]
#[case("0,30 2 * * *", "Europe/Berlin", "2027-03-28T00:00", &["28 03:00+02:00"])]
#[case("0 2,3 * * *", "Europe/Berlin", "2027-03-28T00:00", &["28 03:00+02:00"])]
#[case("0 */2 * * *", "Europe/Berlin", "2027-03-28T00:00", &["28 00:00+01:00", "28 03:00+02:00", "28 04:00+02:00", "28 06:00+02:00"])]
// Autumn: 02:00 to 03:00 comes twice in Berlin on 31 October 2027.
#[case("30 2 * * *", "Europe/Berlin", "2027-10-31T00:00", &["31 02:30+02:00"])]
#[case("30 2,14 * * *", "Europe/Berlin", "2027-10-31T00:00", &["31 02:30+02:00"])]
#[case("0 */2 * * *", "Europe/Berlin", "2027-10-31T00:00", &["31 00:00+02:00", "31 02:00+02:00", "31 04:00+01:00"])]
#[case("30 2 * * *", "America/New_York", "2027-03-14T00:00", &["14 03:00-04:00"])]
#[case("30 1 * * *", "America/New_York", "2027-11-07T00:00", &["07 01:30-04:00"])]
// Half an hour: 02:00 to 02:30 on 3 October 2027, back at 02:00 on 4 April 2027.
#[case("15 2 * * *", "Australia/Lord_Howe", "2027-10-03T00:00", &["03 02:30+11:00"])]
#[case("45 1 * * *", "Australia/Lord_Howe", "2027-04-04T00:00", &["04 01:45+11:00"])]
#[case("15 2 * * *", "Asia/Kathmandu", "2027-03-28T00:00", &["28 02:15+05:45"])]
#[case("30 2 * * *", "UTC", "2027-03-28T00:00", &["28 02:30+00:00"])]
// Midnight itself is jumped over; and a whole day is.
#[case("@daily", "Africa/Cairo", "2027-04-30T00:00", &["30 01:00+03:00"])]
#[case("0 2 * * *", "Pacific/Apia", "2011-12-29T03:00", &["31 00:00+14:00", "31 02:00+14:00"])]
fn times_of_day_happen_once(#[case] text: &str, #[case] zone: &str, #[case] from: &str, #[case] expected: &[&str]) {
    let hours = if zone == "Pacific/Apia" { 24 } else { 7 };
    let hours = if text == "30 2,14 * * *" && from.starts_with("2027-03") { 14 } else { hours };
    assert_eq!(shown(text, zone, from, hours), expected);
}

#[test]
fn frequencies_run_through_both_halves_and_make_nothing_up() {
    assert_eq!(
        shown("*/30 * * * *", "Europe/Berlin", "2027-10-31T01:30", 4),
        [
            "31 01:30+02:00",
            "31 02:00+02:00",
            "31 02:30+02:00",
            "31 02:00+01:00",
            "31 02:30+01:00",
            "31 03:00+01:00",
            "31 03:30+01:00",
            "31 04:00+01:00",
        ]
    );
    assert_eq!(shown("*/30 * * * *", "Europe/Berlin", "2027-03-28T01:30", 1), ["28 01:30+01:00", "28 03:00+02:00"]);
    assert_eq!(
        shown("*/10 * * * *", "Australia/Lord_Howe", "2027-04-04T01:40", 1),
        ["04 01:40+11:00", "04 01:50+11:00", "04 01:30+10:30", "04 01:40+10:30", "04 01:50+10:30", "04 02:00+10:30"]
    );
}

/// What the rules say, second by second.
fn oracle(schedule: &Schedule, zone: &TimeZone, from: Timestamp, seconds: i64) -> Vec<Timestamp> {
    let frequency = schedule.0.hours.count_ones() == 24;
    let named = |wall: jiff::civil::DateTime| schedule.0.cron.is_time_matching(&wall).unwrap();
    let mut frontier = (from - 1.days_as_hours()).to_zoned(zone.clone()).datetime();
    let mut found = Vec::new();
    for second in -86_400..seconds {
        let instant = from + SignedDuration::from_secs(second + 1);
        let wall = zone.to_datetime(instant);
        let jumped = || {
            let mut missing = frontier + 1.second();
            std::iter::from_fn(|| (missing < wall).then(|| (named(missing), missing += 1.second()).0)).any(|n| n)
        };
        let due = if frequency { named(wall) } else { wall > frontier && (named(wall) || jumped()) };
        frontier = frontier.max(wall);
        if due && second >= 0 {
            found.push(instant);
        }
    }
    found
}

trait DaysAsHours {
    fn days_as_hours(self) -> jiff::Span;
}
impl DaysAsHours for i64 {
    fn days_as_hours(self) -> jiff::Span {
        (self * 24).hours()
    }
}

const CHANGES: [(&str, &str); 9] = [
    ("Europe/Berlin", "2027-03-28T01:00:00Z"),
    ("Europe/Berlin", "2027-10-31T01:00:00Z"),
    ("America/New_York", "2027-03-14T07:00:00Z"),
    ("America/New_York", "2027-11-07T06:00:00Z"),
    ("Australia/Lord_Howe", "2027-10-02T15:30:00Z"),
    ("Australia/Lord_Howe", "2027-04-03T15:00:00Z"),
    ("Asia/Kathmandu", "1985-12-31T18:30:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("UTC", "2027-01-01T00:00:00Z"),
];

fn texts() -> impl Strategy<Value = String> {
    let minute = prop_oneof![Just("*".to_owned()), "[0-5]?[0-9]", Just("*/30".to_owned()), Just("0,15,45".to_owned())];
    let hour = prop_oneof![
        Just("*".to_owned()),
        "[0-4]",
        Just("1-3".to_owned()),
        Just("2,14".to_owned()),
        Just("*/2".to_owned())
    ];
    let day = prop_oneof![4 => Just("* * *"), 1 => Just("* * SUN"), 1 => Just("28-31 * *"), 1 => Just("L * SAT")];
    (prop_oneof![4 => Just("0"), 1 => Just("0,30")], minute, hour, day)
        .prop_map(|(s, m, h, d)| format!("{s} {m} {h} {d}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn walking_jumping_and_counting_agree(text in texts(), change in 0..CHANGES.len(), start in -8_000_i64..4_000) {
        let (name, change) = CHANGES[change];
        let (schedule, zone) = (schedule(&text), zone(name));
        let from = at(change) + SignedDuration::from_secs(start);
        let length = 12_000;
        let expected = oracle(&schedule, &zone, from, length);
        let end = from + SignedDuration::from_secs(length);
        let found: Vec<_> = schedule.occurrences(&zone, from).take_while(|slot| *slot <= end).collect();
        prop_assert_eq!(&found, &expected, "{} {} from {}", text, name, from);
        for probe in (0..=length).step_by(389) {
            let probe = from + SignedDuration::from_secs(probe);
            let before: Vec<_> = expected.iter().copied().filter(|slot| *slot <= probe).collect();
            prop_assert_eq!(schedule.previous_or_at(&zone, probe, from), before.last().copied(), "{} at {}", text, probe);
            prop_assert_eq!(schedule.count(&zone, from, probe), before.len() as u64, "{} until {}", text, probe);
            prop_assert_eq!(schedule.count(&zone, probe, end), (expected.len() - before.len()) as u64);
        }
    }
}

#[test]
fn fractions_of_a_second_do_not_move_a_slot() {
    let (schedule, utc) = (schedule("* * * * *"), TimeZone::UTC);
    let slot = at("2026-01-01T00:01:00Z");
    assert_eq!(schedule.next(&utc, at("2026-01-01T00:00:59.999Z")), Some(slot));
    assert_eq!(schedule.next(&utc, at("2026-01-01T00:00:00.5Z")), Some(slot));
    assert_eq!(schedule.previous_or_at(&utc, at("2026-01-01T00:01:00.5Z"), at("2026-01-01T00:00:00.5Z")), Some(slot));
    assert_eq!(schedule.count(&utc, at("2026-01-01T00:00:00.5Z"), at("2026-01-01T00:01:00.5Z")), 1);
}

#[test]
fn ten_thousand_next_slots_take_well_under_a_second() {
    let berlin = zone("Europe/Berlin");
    let began = Instant::now();
    let all: Vec<_> = (0..10_000).map(|n| schedule(&format!("{} {} * * *", n % 60, n % 24))).collect();
    eprintln!("10,000 parsed: {:?}", began.elapsed());
    let now = at("2026-11-20T12:00:00Z");
    let began = Instant::now();
    assert!(Schedule::parse("0 0 31 2 *").is_err());
    eprintln!("an impossible one: {:?}", began.elapsed());
    let began = Instant::now();
    assert!(all.iter().all(|schedule| schedule.next(&berlin, now).is_some()));
    let took = began.elapsed();
    eprintln!("10,000 next slots: {took:?}");
    assert!(took.as_millis() < 1000, "{took:?}");
}

#[test]
fn a_long_absence_is_counted_at_once() {
    let (every_second, berlin) = (schedule("* * * * * *"), zone("Europe/Berlin"));
    let began = Instant::now();
    let (from, until) = (at("2016-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
    assert_eq!(every_second.count(&berlin, from, until), (until.as_second() - from.as_second()).unsigned_abs());
    assert_eq!(every_second.previous_or_at(&berlin, until, from), Some(until));
    let took = began.elapsed();
    eprintln!("ten years of seconds: {took:?}");
    assert!(took.as_millis() < 500, "{took:?}");
}
