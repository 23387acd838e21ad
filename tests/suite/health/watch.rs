//! One check, watched through a test: rounds through the library, each recorded, at a time that the test chooses.

use std::collections::BTreeMap;
use std::time::Duration;

use caretaker::config::{CheckName, Config, LoadOptions, load};
use caretaker::database::Servers;
use caretaker::health::{Depth, Rounds, round};
use caretaker::state::{Observation, State, Status};
use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Runtime;

use crate::support::{Sandbox, eventually, patient};

/// A check of the database `app`, looked at by `[health.app]`, which looks at nothing else.
pub struct Watch {
    pub sandbox: Sandbox,
    check: CheckName,
    config: Config,
    servers: Servers,
    state: State,
    /// What the rounds' clock is ahead of the real one.
    ahead: SignedDuration,
    runtime: Runtime,
}

impl Watch {
    /// `settings`: the lines of `[health.app.checks.CHECK]`.
    #[track_caller]
    pub fn new(check: &str, url: &str, settings: &str) -> Self {
        Self::with(Sandbox::new(), check, url, settings, "", "")
    }

    /// The same with lines for `[health.app]`, and further tables.
    #[track_caller]
    pub fn with(sandbox: Sandbox, check: &str, url: &str, settings: &str, health: &str, tables: &str) -> Self {
        let check = CheckName::ALL.iter().copied().find(|name| name.as_str() == check).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        sandbox.configure(&format!(
            "[databases.app]\nurl = \"{url}\"\n\n[health.app]\ndatabase = 'app'\n{health}\n\n\
             [health.app.checks.{check}]\n{settings}\n\n{tables}"
        ));
        let config = configuration(&sandbox, check);
        let state = runtime.block_on(State::open(&sandbox.state())).unwrap();
        let servers = Servers::new(&config);
        Self { sandbox, check, config, servers, state, ahead: SignedDuration::ZERO, runtime }
    }

    /// Other thresholds from now on.
    #[track_caller]
    pub fn change(&mut self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.sandbox.config()).unwrap();
        assert!(text.contains(from), "{text}");
        self.sandbox.configure_exactly(&text.replacen(from, to, 1));
        self.config = configuration(&self.sandbox, self.check);
        self.servers = Servers::new(&self.config);
    }

    /// Lets the rounds' clock go on, or back.
    pub fn pass(&mut self, time: SignedDuration) {
        self.ahead += time;
    }

    /// What the rounds' clock shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::now() + self.ahead
    }

    /// The state store.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Waits for something of the library's.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// A round; `None`: the check was not looked at.
    pub fn try_look(&self) -> Option<Observation> {
        let job = &self.config.health["app"];
        let rounds = Rounds { config: &self.config, servers: &self.servers, state: &self.state, job };
        self.runtime.block_on(async {
            let round = round(rounds, Depth::Both, self.now()).await;
            round.record(&self.state).await.unwrap();
            let look = round.looks.iter().find(|look| look.check.name == self.check)?;
            Some(look.observation(&round.database, round.at))
        })
    }

    /// A round.
    #[track_caller]
    pub fn look(&self) -> Observation {
        self.try_look().expect("the check was looked at")
    }

    /// A round that must find this.
    #[track_caller]
    pub fn sees(&self, status: Status) -> Observation {
        let found = self.look();
        assert_eq!(found.status, status, "{found:#?}");
        found
    }

    #[track_caller]
    pub fn ok(&self) -> Observation {
        self.sees(Status::Ok)
    }

    #[track_caller]
    pub fn warns(&self) -> Observation {
        self.sees(Status::Warning)
    }

    #[track_caller]
    pub fn critical(&self) -> Observation {
        self.sees(Status::Critical)
    }

    /// A round that must not see, and say what would cure that.
    #[track_caller]
    pub fn unknown(&self, cure: &str) -> Observation {
        let found = self.sees(Status::Unknown);
        assert!(found.advice.as_ref().is_some_and(|advice| advice.contains(cure)), "{found:#?}");
        found
    }

    /// A round that must find nothing to look at.
    #[track_caller]
    pub fn not_applicable(&self) -> Observation {
        self.sees(Status::NotApplicable)
    }

    /// Rounds until one finds this: for what the server, or time, brings about by itself.
    #[track_caller]
    pub fn comes_to(&self, status: Status) -> Observation {
        let mut last = None;
        let what = format!("{} to be {}", self.check, status.as_str());
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(&what, patient(), || {
                last = Some(self.look());
                last.clone().filter(|found| found.status == status)
            })
        }));
        found.unwrap_or_else(|_| panic!("waited in vain for {what}; the last round: {last:#?}"))
    }
}

/// The configuration, with every other check but those that open the door switched off.
#[track_caller]
fn configuration(sandbox: &Sandbox, check: CheckName) -> Config {
    let options = LoadOptions { path: Some(sandbox.config()), env: BTreeMap::new() };
    let mut config = load(&options).unwrap_or_else(|problems| panic!("{problems:#?}")).config;
    let job = config.health.get_mut("app").unwrap();
    for other in CheckName::ALL.iter().filter(|other| **other != check) {
        job.checks.entry(*other).or_default().disabled = true;
    }
    config
}

/// An observation's lines hold these words.
pub trait Says {
    #[track_caller]
    fn says(&self, words: &str) -> &Self;
}

impl Says for Observation {
    fn says(&self, words: &str) -> &Self {
        let lines = || std::iter::once(&self.summary).chain(&self.evidence).chain(&self.advice);
        assert!(lines().any(|line| line.contains(words)), "{words:?} is not in {self:#?}");
        self
    }
}

/// A transaction in psql that stays open until it is dropped.
pub struct Session(std::process::Child);

impl Session {
    /// Runs statements, and waits until the last of them has said `ready`.
    #[track_caller]
    pub fn open(url: &str, bindir: &std::path::Path, sql: &str) -> Self {
        use std::io::{BufRead as _, BufReader, Write as _};
        use std::process::{Command, Stdio};
        let mut command = Command::new(bindir.join("psql"));
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url]).env_clear().env("PATH", "/usr/bin:/bin");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{sql};\nSELECT 'ready';").unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "ready"), "psql ended before it was ready");
        Self(child)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while self.0.try_wait().unwrap().is_none() {
            if std::time::Instant::now() > deadline {
                self.0.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
