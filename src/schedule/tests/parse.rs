use rstest::rstest;

use super::super::Schedule;
use super::{at, schedule};
use crate::fault::Fault;
use jiff::tz::TimeZone;

#[rstest]
#[case("0 2 * * *", "2026-01-01T02:00:00Z")]
#[case("  0\t2  * * *  ", "2026-01-01T02:00:00Z")]
#[case("30 0 2 * * *", "2026-01-01T02:00:30Z")]
#[case("*/15 * * * *", "2026-01-01T00:15:00Z")]
#[case("5-59/20 * * * *", "2026-01-01T00:05:00Z")]
#[case("0 0 * * MON", "2026-01-05T00:00:00Z")]
#[case("0 0 * * fri-sun", "2026-01-02T00:00:00Z")]
#[case("0 0 * * SUN-TUE", "2026-01-04T00:00:00Z")]
#[case("0 0 * * 7", "2026-01-04T00:00:00Z")]
#[case("0 0 * * 0,7", "2026-01-04T00:00:00Z")]
#[case("0 0 1 feb,MAR *", "2026-02-01T00:00:00Z")]
#[case("0 0 1 MAY-jul/2 *", "2026-05-01T00:00:00Z")]
#[case("0 0 ? * MON", "2026-01-05T00:00:00Z")]
#[case("0 0 13 * FRI", "2026-01-02T00:00:00Z")]
#[case("0 0 */1 * MON", "2026-01-05T00:00:00Z")]
#[case("0 0 L * *", "2026-01-31T00:00:00Z")]
#[case("0 0 LW * *", "2026-01-30T00:00:00Z")]
#[case("0 0 15W 2 *", "2026-02-16T00:00:00Z")]
#[case("0 0 * * SUN#2", "2026-01-11T00:00:00Z")]
#[case("0 0 * * 7L", "2026-01-25T00:00:00Z")]
#[case("0 0 29 2 *", "2028-02-29T00:00:00Z")]
#[case("0 */24 * * *", "2026-01-02T00:00:00Z")]
#[case("@hourly", "2026-01-01T01:00:00Z")]
#[case("@daily", "2026-01-02T00:00:00Z")]
#[case("@Midnight", "2026-01-02T00:00:00Z")]
#[case("@weekly", "2026-01-04T00:00:00Z")]
#[case("@monthly", "2026-02-01T00:00:00Z")]
#[case("@yearly", "2027-01-01T00:00:00Z")]
#[case("@annually", "2027-01-01T00:00:00Z")]
fn every_form_is_understood(#[case] text: &str, #[case] next: &str) {
    let schedule = schedule(text);
    assert_eq!(schedule.next(&TimeZone::UTC, at("2026-01-01T00:00:00Z")), Some(at(next)));
    assert_eq!(schedule.to_string(), text);
}

/// The text, the mark below it as the configuration's diagnostics draw it, the sentence and the hint.
fn drawn(text: &str) -> String {
    let error = Schedule::parse(text).unwrap_err();
    let mark = format!("{}{}", " ".repeat(error.column.unwrap_or(0)), "^".repeat(error.len));
    let hint = error.hint().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
    format!("  {text}\n  {mark}\n  {error}{hint}\n")
}

#[test]
fn an_error_names_the_field_and_marks_the_offending_text() {
    let wrong = [
        "",
        "* * * *",
        "0 0 2 * * * 2027",
        "@reboot",
        "@every 5m",
        "60 * * * *",
        "0 24 * * *",
        "0 2 0 * *",
        "0 2 * 13 *",
        "0 2 * * 8",
        "  0 2,25 * * *",
        "5,,10 * * * *",
        "JAN * * * *",
        "0 2 * January *",
        "0 2 * * Mon-Frie",
        "0 2 * MON *",
        "0 2 * * 1-5-6",
        "50-10 * * * *",
        "0 2 * * FRI-MON",
        "0 2 * * 6-2/2",
        "0 2 * nov-jan *",
        "0 5-25/2 * * *",
        "x/15 * * * *",
        "5/15 * * * *",
        "*/0 * * * *",
        "*/x * * * *",
        "*/90 * * * *",
        "*,5 * * * *",
        "+5 * * * *",
        "0 2 * * SUN#6",
        "0 2 é * *",
        "0 2 99999999 * *",
        "60 0 2 * * *",
        "0 0 31 2 *",
        "0 0 30,31 FEB *",
        "0 0 31 4,6,9,11 *",
    ];
    insta::assert_snapshot!(wrong.map(drawn).join("\n"));
}

#[test]
fn a_day_that_comes_only_by_its_weekday_is_not_impossible() {
    assert!(Schedule::parse("0 0 31 2 MON").is_ok());
    assert!(Schedule::parse("0 0 31 2,3 *").is_ok());
}

proptest::proptest! {
    #[test]
    fn whatever_is_written_never_panics(text in "[0-9*/,?#@A-Za-zé +-]{0,24}") {
        if let Err(error) = Schedule::parse(&text) {
            let end = error.column.unwrap_or(0) + error.len;
            proptest::prop_assert!(end <= text.chars().count(), "{error:?}");
        }
    }

    #[test]
    fn fields_that_look_like_cron_never_panic(fields in proptest::collection::vec("[0-9*/,LW#-]{1,5}|MON-FRI|jan", 5..=6)) {
        let _ = Schedule::parse(&fields.join(" "));
    }
}
