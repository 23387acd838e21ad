//! `[heartbeat]`

use std::time::Duration;

use super::super::{Heartbeat, Ping};
use super::secret::SecretKeys;
use super::values::{authority, duration};
use super::{Problem, Section};

/// A dead-man's switch that is pinged more often than this is no kindness to who runs it.
const SHORTEST: Duration = Duration::from_secs(10);

pub(super) fn read(section: &Section<'_>) -> Option<Heartbeat> {
    let keys = ["url_file", "credential", "url", "every", "ca_file"];
    if !keys.iter().any(|key| section.has(key)) {
        keys.iter().for_each(|key| section.know(key));
        section.finish();
        return None;
    }
    let url = SecretKeys::URL.required(section);
    let every = section.or("every", "1m", |spot| match duration(spot)? {
        every if every < SHORTEST => Err(Problem::new("this is too often").help("at least 10 seconds")),
        every => Ok(every),
    });
    let ca_file = section.optional("ca_file", authority);
    section.finish();
    Some(Heartbeat { ping: Ping { url: url?, ca_file }, every: every? })
}
