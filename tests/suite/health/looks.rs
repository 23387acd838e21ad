//! Looks of one check at a real server, one after the other, at times that the test sets.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use caretaker::config::{CheckName, Config, LoadOptions, load};
use caretaker::database::Servers;
use caretaker::health::{Depth, Rounds, round};
use caretaker::state::{Observation, State, Status};
use jiff::{SignedDuration, Timestamp};

use crate::support::{Postgres, Sandbox, patient, until};

/// One check, alone, with its settings.
pub struct Looks {
    check: &'static str,
    url: String,
    sandbox: Sandbox,
    runtime: tokio::runtime::Runtime,
    state: State,
    now: Timestamp,
    config: Config,
}

impl Looks {
    /// The check at a database, with lines for its table: `warning = 1`.
    pub fn new(check: &'static str, url: &str, settings: &str) -> Self {
        let sandbox = Sandbox::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let state = runtime.block_on(State::open(&sandbox.state())).unwrap();
        let config = configuration(&sandbox, check, url, settings);
        Self { check, url: url.to_owned(), sandbox, runtime, state, now: Timestamp::now(), config }
    }

    /// Other settings from now on.
    pub fn with(&mut self, settings: &str) -> &mut Self {
        self.config = configuration(&self.sandbox, self.check, &self.url, settings);
        self
    }

    /// The next look is so many hours later.
    pub fn later(&mut self, hours: i64) -> &mut Self {
        self.now += SignedDuration::from_hours(hours);
        self
    }

    /// Looks, and keeps what was found.
    pub fn look(&mut self) -> Observation {
        self.now += SignedDuration::from_secs(1);
        let job = self.config.health.values().next().unwrap();
        let servers = Servers::new(&self.config);
        let rounds = Rounds { config: &self.config, servers: &servers, state: &self.state, job };
        let round = self.runtime.block_on(round(rounds, Depth::Both, self.now));
        self.runtime.block_on(round.record(&self.state)).unwrap();
        let look = round.looks.iter().find(|look| look.check.name.as_str() == self.check);
        let look = look.unwrap_or_else(|| panic!("{} was not looked at: {:?}", self.check, round.looks));
        look.observation("app", self.now)
    }

    /// Looks, and asserts what is found.
    #[track_caller]
    pub fn finds(&mut self, status: Status) -> Observation {
        let seen = self.look();
        assert_eq!(seen.status, status, "{seen:#?}");
        seen
    }

    /// Looks until this is found.
    #[track_caller]
    pub fn comes_to(&mut self, status: Status) -> Observation {
        let mut last = None;
        until(&format!("{} to be {status:?}", self.check), patient(), || {
            let seen = self.look();
            let found = seen.status == status;
            if !found {
                eprintln!("{:?}: {} {:?}", seen.status, seen.summary, seen.evidence);
            }
            last = Some(seen);
            found
        });
        last.unwrap()
    }
}

fn configuration(sandbox: &Sandbox, check: &str, url: &str, settings: &str) -> Config {
    let mut text = format!("[databases.app]\nurl = \"{url}\"\n\n[health.app]\ndatabase = 'app'\n\n");
    for name in CheckName::ALL.iter().map(|name| name.as_str()) {
        let settings = if name == check { settings } else { "disabled = true" };
        text.push_str(&format!("[health.app.checks.{name}]\n{settings}\n"));
    }
    sandbox.configure(&text);
    load(&LoadOptions { path: Some(sandbox.config()), ..LoadOptions::default() }).unwrap().config
}

/// A psql that stays connected, and ends with the value.
pub struct Psql {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Psql {
    /// Connects as the superuser under an application's name.
    pub fn connect(postgres: &Postgres, database: &str, application: &str) -> Self {
        let mut command = postgres.program("psql");
        command.args(["-XAtq", "-d", &postgres.socket_url(database)]).env("PGAPPNAME", application);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut psql = Self { child, stdin, stdout };
        psql.runs("SELECT 1;");
        psql
    }

    /// Runs statements to their end.
    pub fn runs(&mut self, sql: &str) {
        self.starts(sql);
        self.ends();
    }

    /// Starts statements; [`Self::ends`] waits for them.
    pub fn starts(&mut self, sql: &str) {
        writeln!(self.stdin, "{sql}\n\\echo it-is-done").unwrap();
    }

    /// Waits for the end of what was started.
    pub fn ends(&mut self) {
        let mut line = String::new();
        while line != "it-is-done\n" {
            line.clear();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "psql has ended");
        }
    }
}

impl Drop for Psql {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
