//! From wall-clock times to instants, across the jumps of a zone's clock.
//!
//! Between two transitions of a zone, wall clock and time line run in step, and croner's answer for the wall clock is
//! right. So everything here walks from transition to transition and decides only what happens at one:
//!
//! - A schedule that names hours (`30 2 * * *`, `0 */6 * * *`) means wall-clock times, each once a day. One that the
//!   clock jumps over in spring runs when the clock has jumped; one that comes twice in autumn runs the first time.
//! - A schedule that runs in every hour (`*/30 * * * *`) means a frequency. It runs through both halves of a repeated
//!   hour, and what the clock jumps over is not made up for.

use std::iter;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::Schedule;

const SECOND: SignedDuration = SignedDuration::from_secs(1);
/// Bits 0 to 23.
const EVERY_HOUR: u64 = (1 << 24) - 1;

impl Schedule {
    /// The occurrences after an instant, ascending, in whole seconds.
    pub fn occurrences(&self, zone: &TimeZone, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        iter::successors(self.next(zone, after), |last| self.next(zone, *last))
    }

    /// The first occurrence after an instant, in a whole second. `None`: none before the calendar's end, the year 5000.
    pub fn next(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        let after = whole_second(after);
        let mut offset = zone.to_offset(after);
        let mut wall = self.first_wall_after(self.covered(zone, after))?;
        for transition in zone.following(after) {
            let instant = offset.to_timestamp(wall).ok()?;
            let jump = transition.timestamp();
            if instant < jump {
                return Some(instant);
            }
            let new_wall = transition.offset().to_datetime(jump);
            if self.is_frequency() {
                wall = self.first_wall_after(new_wall.checked_sub(SECOND).ok()?)?;
            } else if wall < new_wall {
                return Some(jump);
            }
            offset = transition.offset();
        }
        offset.to_timestamp(wall).ok()
    }

    /// The last occurrence that is after `after` and not after `at`.
    pub fn previous_or_at(&self, zone: &TimeZone, at: Timestamp, after: Timestamp) -> Option<Timestamp> {
        let (at, after) = (whole_second(at), whole_second(after));
        let newer = |instant: Timestamp| (instant > after).then_some(instant);
        let mut offset = zone.to_offset(at);
        let mut wall = self.last_wall_at(offset.to_datetime(at))?;
        for transition in zone.preceding(at.checked_add(SECOND).ok()?) {
            let jump = transition.timestamp();
            let old_offset = offset_before(zone, jump)?;
            let (old_wall, new_wall) = (old_offset.to_datetime(jump), offset.to_datetime(jump));
            // What this side of the transition holds begins here; wall-clock times that come again do not count.
            let begin = if self.is_frequency() { new_wall } else { new_wall.max(old_wall) };
            if wall >= begin {
                return newer(offset.to_timestamp(wall).ok()?);
            }
            if !self.is_frequency() && wall >= old_wall && wall < new_wall {
                return newer(jump);
            }
            if jump <= after {
                return None;
            }
            offset = old_offset;
            wall = self.last_wall_at(old_wall.checked_sub(SECOND).ok()?)?;
        }
        newer(offset.to_timestamp(wall).ok()?)
    }

    /// How many occurrences are after `after` and not after `until`. The cost grows with the days between, not with
    /// the occurrences, so that a job of every second that was off for years is counted at once.
    pub fn count(&self, zone: &TimeZone, after: Timestamp, until: Timestamp) -> u64 {
        let (after, until) = (whole_second(after), whole_second(until));
        if until <= after {
            return 0;
        }
        let mut count = 0;
        let mut offset = zone.to_offset(after);
        let mut covered = self.covered(zone, after);
        for transition in zone.following(after) {
            let jump = transition.timestamp();
            if until < jump {
                break;
            }
            let (old_wall, new_wall) = (offset.to_datetime(jump), transition.offset().to_datetime(jump));
            let (old_end, new_end) = (old_wall.saturating_sub(SECOND), new_wall.saturating_sub(SECOND));
            count += self.walls_between(covered, old_end);
            covered = new_end;
            if !self.is_frequency() {
                covered = new_end.max(old_end);
                let jumped_over = self.walls_between(old_end, new_end) > 0;
                let itself = self.walls_between(new_end, new_wall) > 0;
                count += u64::from(jumped_over && !itself);
            }
            offset = transition.offset();
        }
        count + self.walls_between(covered, offset.to_datetime(until))
    }

    /// Whether the schedule means a frequency rather than times of day.
    fn is_frequency(&self) -> bool {
        self.0.hours == EVERY_HOUR
    }

    /// The wall-clock time up to which everything has had its turn at an instant: what the clock shows or, for a
    /// schedule that names hours while one is repeated, the end of the first half.
    fn covered(&self, zone: &TimeZone, at: Timestamp) -> DateTime {
        let offset = zone.to_offset(at);
        let wall = offset.to_datetime(at);
        if self.is_frequency() || !zone.to_ambiguous_timestamp(wall).is_ambiguous() {
            return wall;
        }
        let jump = at.checked_add(SECOND).ok().and_then(|end| zone.preceding(end).next()).map(|t| t.timestamp());
        let old_wall = jump.and_then(|jump| Some(offset_before(zone, jump)?.to_datetime(jump)));
        old_wall.map_or(wall, |old_wall| wall.max(old_wall.saturating_sub(SECOND)))
    }

    fn first_wall_after(&self, wall: DateTime) -> Option<DateTime> {
        self.0.cron.find_next_occurrence(&wall, false).ok()
    }

    fn last_wall_at(&self, wall: DateTime) -> Option<DateTime> {
        self.0.cron.find_previous_occurrence(&wall, true).ok()
    }

    /// How many wall-clock times are after `after` and not after `until`.
    fn walls_between(&self, after: DateTime, until: DateTime) -> u64 {
        if until <= after {
            return 0;
        }
        let last = Time::constant(23, 59, 59, 0);
        let per_day = self.times_until(last);
        let days = after.date().series(jiff::Span::new().days(1)).take_while(|day| *day <= until.date());
        let all = days.filter(|day| self.names_day(*day)).map(|_| per_day).sum::<u64>();
        let before = if self.names_day(after.date()) { self.times_until(after.time()) } else { 0 };
        let beyond = if self.names_day(until.date()) { per_day - self.times_until(until.time()) } else { 0 };
        all - before - beyond
    }

    /// How many times of a day are not after a time.
    fn times_until(&self, time: Time) -> u64 {
        let below = |bits: u64, value: i8| u64::from((bits & ((1 << value) - 1)).count_ones());
        let named = |bits: u64, value: i8| bits >> value & 1;
        let (seconds, minutes, hours) = (self.0.seconds, self.0.minutes, self.0.hours);
        let per_minute = u64::from(seconds.count_ones());
        let per_hour = u64::from(minutes.count_ones()) * per_minute;
        let in_minute = below(seconds, time.second()) + named(seconds, time.second());
        let in_hour = below(minutes, time.minute()) * per_minute + named(minutes, time.minute()) * in_minute;
        below(hours, time.hour()) * per_hour + named(hours, time.hour()) * in_hour
    }

    fn names_day(&self, day: Date) -> bool {
        let pattern = &self.0.cron.pattern;
        let [month, number] = [day.month().unsigned_abs().into(), day.day().unsigned_abs().into()];
        let weekday = day.weekday().to_sunday_zero_offset().unsigned_abs().into();
        let weekday = croner::Weekday::from_days_from_sunday(weekday);
        pattern.month_match(month).unwrap_or(false)
            && pattern.day_match(day.year().into(), month, number, weekday).unwrap_or(false)
    }
}

/// The last whole second that is not after an instant.
fn whole_second(at: Timestamp) -> Timestamp {
    let second = at.as_second() - i64::from(at.subsec_nanosecond() < 0);
    Timestamp::from_second(second).unwrap_or(Timestamp::MIN)
}

/// The zone's offset just before a transition.
fn offset_before(zone: &TimeZone, jump: Timestamp) -> Option<Offset> {
    Some(zone.to_offset(jump.checked_sub(SECOND).ok()?))
}
