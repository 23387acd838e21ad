#![allow(clippy::unwrap_used, reason = "tests")]

mod due;
mod jitter;
mod parse;
mod simulation;
mod zones;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Schedule;

fn schedule(text: &str) -> Schedule {
    Schedule::parse(text).unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
