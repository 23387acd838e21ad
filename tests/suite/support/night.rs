//! A night at the machine: a job at two o'clock, and a clock to bring it about.

use std::time::Duration;

use super::outcome::{Outcome, run};
use super::{Clock, Daemon, Sandbox, until};

/// A sandbox whose clock shows two seconds to two in the night of 2 March 2026, UTC; two o'clock is when the job
/// `backup.nightly` of the database `notes` is due.
#[derive(Debug)]
pub struct Night {
    /// The machine.
    pub sandbox: Sandbox,
    /// Its clock.
    pub clock: Clock,
}

impl Night {
    /// With a small SQLite database. `job`: further lines for the job.
    pub fn new(job: &str) -> Self {
        let night = Self::of(Sandbox::new());
        night.sandbox.sqlite("notes.db", 100);
        night.configure("", "0 2 * * *", job);
        night
    }

    /// With a PostgreSQL database at `url`. `daemon`: lines for `[daemon]`.
    pub fn of_postgres(sandbox: Sandbox, url: &str, daemon: &str, job: &str) -> Self {
        let night = Self::of(sandbox);
        let job = format!("[backup.nightly]\ndatabase = 'notes'\nschedule = '0 2 * * *'\nstores = ['local']\n{job}\n");
        night.sandbox.configure_daemon(daemon, &format!("[databases.notes]\nurl = '{url}'\n\n{job}"));
        night
    }

    fn of(sandbox: Sandbox) -> Self {
        let clock = Clock::at(&sandbox, "2026-03-02T01:59:58Z");
        Self { sandbox, clock }
    }

    /// Writes the configuration anew, for the SQLite database.
    pub fn configure(&self, daemon: &str, schedule: &str, job: &str) {
        let url = format!("sqlite://{}", self.sandbox.path("notes.db").display());
        self.sandbox.configure_daemon(
            daemon,
            &format!(
                "[databases.notes]\nurl = '{url}'\n\n\
                 [backup.nightly]\ndatabase = 'notes'\nschedule = '{schedule}'\nstores = ['local']\n{job}\n"
            ),
        );
    }

    /// Starts the daemon at this clock and waits until it is ready.
    #[track_caller]
    pub fn daemon(&self) -> Daemon {
        self.sandbox.daemon_with(|command| self.clock.give(command))
    }

    /// Runs a command at this clock.
    #[track_caller]
    pub fn caretaker(&self, arguments: &[&str]) -> Outcome {
        let mut command = self.sandbox.command();
        self.clock.give(&mut command);
        run(command.args(arguments), b"", Duration::from_secs(120))
    }

    /// Waits until the runs have come to these states, oldest first.
    #[track_caller]
    pub fn wait_runs(&self, states: &[&str]) {
        let mut seen = Vec::new();
        let what = format!("the runs to be {states:?}");
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(&what, Duration::from_secs(60), || {
                seen = self.sandbox.runs();
                seen == states
            });
        }));
        assert!(found.is_ok(), "{what}, but they are {seen:?}");
    }

    /// The ledger, oldest first: `slot cause missed state`.
    #[track_caller]
    pub fn slots(&self) -> Vec<String> {
        self.sandbox.state_lines(
            "SELECT strftime('%m-%d %H:%M', slot_ms / 1000, 'unixepoch') || ' ' || cause || ' ' || missed || ' ' || state \
             FROM slots ORDER BY slot_ms;",
        )
    }
}
