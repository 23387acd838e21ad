//! `[alerts]`

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::{ChannelName, DatabaseName, Environment};
use crate::schedule::Schedule;

/// When something becomes an incident, who is told of it, and how often.
#[derive(Debug, Clone)]
pub struct Alerts {
    /// After how many bad looks in a row it is an incident; default 2. Connectivity and jobs: 1.
    pub enter_after: u32,
    /// After how many good looks in a row it is over; default 2. Jobs: 1.
    pub leave_after: u32,
    /// How long news wait for others that come with them; default 30 s.
    pub group_wait: Duration,
    /// How long there is nothing new on a channel after a message, but for recoveries and new CRITICALs; default 5 min.
    pub group_interval: Duration,
    /// When it is told again that something is still so; doubles up to a day; default 4 h.
    pub remind_after: Duration,
    /// When only what is CRITICAL is told.
    pub quiet_hours: Option<QuietHours>,
    /// When a summary is told.
    pub digest: Option<Schedule>,
    /// Through which channels; empty: all.
    pub digest_to: Vec<ChannelName>,
    /// After what time others are told of what nobody has acknowledged.
    pub escalate_after: Option<Duration>,
    /// Through which channels.
    pub escalate_to: Vec<ChannelName>,
    /// How long a notification is tried; default 3 days.
    pub expire_after: Duration,
    /// When a test goes through every channel.
    pub fire_drill: Option<Schedule>,
    /// The zone of all that; default the daemon's.
    pub timezone: TimeZone,
    /// Who is told of what; empty: every channel of everything.
    pub routes: Vec<Route>,
}

/// A time of the day at which people sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// When it begins.
    pub from: Time,
    /// When it ends; before `from`: on the next day.
    pub until: Time,
}

impl QuietHours {
    /// Whether people sleep at an instant.
    pub fn hold(&self, zone: &TimeZone, at: Timestamp) -> bool {
        let time = at.to_zoned(zone.clone()).time();
        if self.from <= self.until {
            self.from <= time && time < self.until
        } else {
            self.from <= time || time < self.until
        }
    }
}

/// `[[alerts.routes]]`: what all of its conditions hold for goes to its channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// This bad, or worse.
    pub severity: Option<AlertSeverity>,
    /// Of this database, or a job that works on it.
    pub database: Option<DatabaseName>,
    /// Of this check, or this job by its full name.
    pub check: Option<String>,
    /// Only in this environment.
    pub environment: Option<Environment>,
    /// Who is told; never empty.
    pub channels: Vec<ChannelName>,
}

/// How bad something is, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertSeverity {
    /// It could not be seen.
    Unknown,
    /// For the day.
    Warning,
    /// For now.
    Critical,
}
