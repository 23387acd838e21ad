//! The engine against a clock and a store of its own: what people are told, from first to last.
#![allow(clippy::unwrap_used, reason = "tests")]

mod incidents;
mod properties;
mod telling;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::step::{Recipients, plan};
use super::{Message, MessageKind};
use crate::config::{Config, LoadOptions, load};
use crate::state::{CheckKey, Desk, Incident, Observation, Silence, Standing, Status};

/// A machine with one database and two channels, `ops` and `pager`, at noon.
struct World {
    config: Config,
    desk: Desk,
    /// Every incident there ever was.
    incidents: BTreeMap<String, Incident>,
    /// What was sent: when, to which channel, what.
    sent: Vec<(Timestamp, String, Message)>,
    silences: Vec<Silence>,
    now: Timestamp,
}

/// Reads a configuration.
fn config(text: &str) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("caretaker.toml");
    let base = "[databases.app]\nurl = 'sqlite:///srv/app.db'\n[stores.local]\nkind = 'local'\npath = '/srv/b'\n\
        [channels.ops]\nkind = 'file'\npath = '/srv/ops'\n[channels.pager]\nkind = 'file'\npath = '/srv/pager'\n\
        [backup.nightly]\ndatabase = 'app'\nstores = ['local']\nretention = 'gfs'\n";
    let health = if text.contains("[health.") { "" } else { "[health.app]\ndatabase = 'app'\n" };
    std::fs::write(&path, format!("{base}{health}{text}")).unwrap();
    match load(&LoadOptions { path: Some(path), env: BTreeMap::new() }) {
        Ok(loaded) => loaded.config,
        Err(found) => panic!("{}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

impl World {
    /// With this text in the configuration.
    fn new(text: &str) -> Self {
        Self {
            config: config(text),
            desk: Desk::default(),
            incidents: BTreeMap::new(),
            sent: Vec::new(),
            silences: Vec::new(),
            now: "2026-03-02T12:00:00Z".parse().unwrap(),
        }
    }

    /// A check of the database says something.
    fn look(&mut self, name: &str, status: Status) {
        self.look_at(name, status, None);
    }

    fn look_at(&mut self, name: &str, status: Status, number: Option<f64>) {
        self.observe("health", "app", name, status, number);
    }

    /// The job `backup.nightly` comes to something.
    fn run(&mut self, status: Status) {
        self.observe("job", "backup.nightly", "run", status, None);
    }

    fn observe(&mut self, source: &str, subject: &str, name: &str, status: Status, number: Option<f64>) {
        self.desk.observations.push(Observation {
            key: CheckKey { source: source.to_owned(), subject: subject.to_owned(), name: name.to_owned() },
            status,
            at: self.now,
            summary: format!("{status:?}"),
            value: number.map(|number| number.to_string()),
            number,
            threshold: None,
            advice: None,
            evidence: Vec::new(),
        });
        self.step();
    }

    /// Time passes, and the engine looks every ten seconds.
    fn pass(&mut self, span: &str) {
        self.pass_in_steps(span, 10);
    }

    /// Time passes, and the engine looks after so many seconds each.
    fn pass_in_steps(&mut self, span: &str, seconds: i64) {
        let until = self.now + span.parse::<SignedDuration>().unwrap();
        while self.now < until {
            self.now = (self.now + SignedDuration::from_secs(seconds)).min(until);
            self.step();
        }
    }

    /// A check says the same every five minutes.
    fn go_on(&mut self, name: &str, status: Status, times: usize) {
        for _ in 0..times {
            self.look(name, status);
            self.pass("5m");
        }
    }

    fn step(&mut self) {
        let whom = |name: &str| (name.to_owned(), vec![name.to_owned()]);
        let recipients: Recipients = [whom("ops"), whom("pager")].into();
        self.desk.silences = self.silences.iter().filter(|silence| silence.until > self.now).cloned().collect();
        let step = plan(&self.desk, &self.config, &recipients, &[], "host", self.now);
        self.desk.observations.clear();
        self.desk.tracks.extend(step.tracks);
        self.desk.marks.extend(step.marks);
        for incident in step.incidents {
            self.incidents.insert(incident.id.clone(), incident.clone());
            match self.desk.standings.iter_mut().find(|it| it.incident.id == incident.id) {
                Some(standing) => standing.incident = incident,
                None => self.desk.standings.push(Standing { incident, told: BTreeMap::new() }),
            }
        }
        for (incident, channel, told) in step.told {
            let standing = self.desk.standings.iter_mut().find(|it| it.incident.id == incident).unwrap();
            standing.told.insert(channel, told);
        }
        self.desk
            .standings
            .retain(|it| it.incident.closed_at.is_none() || it.told.values().any(|told| told.status != Status::Ok));
        for new in step.notifications {
            self.sent.push((self.now, new.channel, serde_json::from_str(&new.message).unwrap()));
        }
    }

    fn silence(&mut self, target: &str, span: &str) {
        self.silences.push(Silence {
            id: "s".to_owned(),
            target: target.to_owned(),
            reason: "a test".to_owned(),
            made_by: "me".to_owned(),
            made_at: self.now,
            until: self.now + span.parse::<SignedDuration>().unwrap(),
        });
    }

    /// Somebody says that they are on everything that is open.
    fn acknowledge(&mut self) {
        for standing in &mut self.desk.standings {
            standing.incident.acked_at = Some(self.now);
            standing.incident.acked_by = Some("anna".to_owned());
        }
    }

    /// What a channel was told: `Opened connections`, with a comma between incidents told together.
    fn told(&self, channel: &str) -> Vec<String> {
        let line = |message: &Message| {
            let names: Vec<&str> = message.incidents.iter().map(|it| it.key.name.as_str()).collect();
            format!("{:?} {}", message.kind, names.join(", "))
        };
        self.sent.iter().filter(|(_, to, _)| to == channel).map(|(_, _, message)| line(message)).collect()
    }

    /// The statuses of the incidents, oldest first; `Ok` for those that are over.
    fn statuses(&self) -> Vec<Status> {
        let status = |it: &Incident| if it.closed_at.is_some() { Status::Ok } else { it.status };
        self.incidents.values().map(status).collect()
    }

    fn last(&self) -> &Message {
        &self.sent.last().unwrap().2
    }

    fn kinds(&self, kind: MessageKind) -> usize {
        self.sent.iter().filter(|(_, _, message)| message.kind == kind).count()
    }
}
