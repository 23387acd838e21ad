//! The arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod privacy;

pub(super) use privacy::{HoldCommand, PrivacyCommand};

use super::exit;

/// Looks after PostgreSQL and SQLite databases: scheduled, compressed, encrypted backups to disk and S3 that are
/// verified and pruned by policy.
#[derive(Debug, Parser)]
#[command(name = "caretaker", version, after_help = exit::HELP, max_term_width = 110, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// The configuration file; `conf.d/*.toml` beside it is read too
    #[arg(long, global = true, value_name = "PATH", env = "CARETAKER_CONFIG", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value = "human", help_heading = "Global options")]
    pub format: Format,
    /// Log more to standard error; twice: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// No colours (also when NO_COLOR is set, or the output is no terminal)
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_color: bool,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned and short
    Human,
    /// Stable and documented
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the main job on a small database in a temporary folder: no server, no configuration
    Demo,
    /// Write a commented configuration; never overwrites
    Init {
        /// Where to
        #[arg(default_value = "/etc/caretaker")]
        dir: PathBuf,
    },
    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Run the daemon: what the systemd unit starts
    Daemon,
    /// Ask the running daemon to read its configuration again; waits for its answer
    Reload,
    /// One screen: jobs, their last and next runs, the newest backup of each database, incidents, what waits to be told
    Status,
    /// Look at the health of a database now, or of all
    #[command(args_conflicts_with_subcommands = true)]
    Health(HealthArgs),
    /// What a database's role needs
    #[command(subcommand)]
    Database(DatabaseCommand),
    /// List, run, cancel jobs; show their history
    #[command(subcommand)]
    Job(JobCommand),
    /// Take, list, verify, pin and prune backups
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Restore a backup into an empty or new database and compare it with its manifest
    Restore(RestoreArgs),
    /// List incidents and what waits to be told; acknowledge, silence, test
    #[command(subcommand)]
    Alert(AlertCommand),
    /// Plan and apply privacy policies; holds, and the log of what was done
    #[command(subcommand)]
    Privacy(PrivacyCommand),
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    Man {
        /// Where to
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check the configuration: every error at once, with file, line and column
    Check {
        /// Also try every store (write, read back, delete), connect to every database, and try every channel without a message
        #[arg(long)]
        online: bool,
    },
    /// Show the configuration in force, where each value comes from, without secrets
    Show,
}

impl ConfigCommand {
    pub(super) fn online(&self) -> bool {
        matches!(self, Self::Check { online: true })
    }
}

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// Only this database
    pub database: Option<String>,
    /// Also what was seen, what to do about it, and the SQL
    #[arg(long)]
    pub detailed: bool,
    /// The slow checks too
    #[arg(long)]
    pub deep: bool,
    /// One line and the exit code of a Nagios plugin: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    #[arg(long)]
    pub nagios: bool,
    /// List the checks there are, with their default thresholds
    #[arg(long)]
    pub checks: bool,
    #[command(subcommand)]
    pub command: Option<HealthCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum HealthCommand {
    /// End sessions that hold a transaction open and do nothing, after showing them and asking
    Terminate {
        /// The database's name in the configuration
        database: String,
        /// Idle for at least this long
        #[arg(long, value_name = "DURATION", value_parser = length)]
        idle_over: jiff::SignedDuration,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum DatabaseCommand {
    /// Print the least privileges for monitoring and backup as SQL, and check whether the role has them
    Grants {
        /// The database's name in the configuration
        name: String,
    },
}

const NO_LENGTH: &str = "this is not a length of time: write it like `2h`, `30m` or `1 day`";

/// A length of time; a day has 24 hours.
fn length(text: &str) -> Result<jiff::SignedDuration, String> {
    let span: jiff::Span = text.trim().parse().map_err(|_| NO_LENGTH)?;
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| NO_LENGTH)?;
    if length.is_negative() { Err(NO_LENGTH.to_owned()) } else { Ok(length) }
}

/// One that is longer than nothing.
fn span(text: &str) -> Result<jiff::SignedDuration, String> {
    length(text).and_then(|length| if length.is_zero() { Err(NO_LENGTH.to_owned()) } else { Ok(length) })
}

#[derive(Debug, Subcommand)]
pub(super) enum AlertCommand {
    /// The incidents that are open, and the notifications that wait
    List {
        /// Also incidents that are over, and what has become of notifications
        #[arg(long)]
        all: bool,
    },
    /// Say that you are on an incident: no more reminders of it, and nobody else is called
    Ack {
        /// Its id, or enough of one end of it
        id: String,
    },
    /// Do not tell of something for a while
    Silence {
        /// A check, a job, a database, or DATABASE/CHECK
        #[arg(value_name = "CHECK|JOB|DATABASE")]
        target: String,
        /// For how long: `2h`, `1 day`
        #[arg(long = "for", value_name = "TIME", value_parser = span)]
        lasts: jiff::SignedDuration,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// The silences that hold
    Silences,
    /// End a silence before its time
    Unsilence {
        /// Its target, or its id, or enough of one end of it
        what: String,
    },
    /// Send a real message at once and print the other side's answer; exit code 1 if it was refused
    Test {
        /// Only through this channel
        channel: Option<String>,
    },
    /// Tell that a unit has failed, without the daemon: what caretaker-failure@.service runs
    UnitFailed {
        /// The unit's name
        unit: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum JobCommand {
    /// The jobs and their next three slots, in the job's zone and in UTC
    List,
    /// Do now what the schedule would; exit code 4 if the job is running
    Run {
        /// `backup.nightly`, or just `nightly`
        job: String,
        /// Attempts after the first, for what can be cured by trying again
        #[arg(long, default_value_t = 0, value_name = "N")]
        retries: u32,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// What jobs have done
    History {
        /// Only this job
        job: Option<String>,
        /// The newest N runs
        #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
        limit: u32,
    },
    /// End a run, wherever it runs on this machine
    Cancel {
        /// The run's id, or enough of its end
        run: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum BackupCommand {
    /// Take a backup by hand; it never counts in a job's keep rules
    Now {
        /// The database's name in the configuration
        database: String,
        /// Into this folder instead of the configured stores, and not into the catalogue
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// The backups, the newest first
    List {
        /// Only of this database
        database: Option<String>,
    },
    /// All that is known of a backup
    Show {
        /// Its id, or enough of one end of it, or `latest`
        id: String,
    },
    /// Download a backup and check every hash, and that the archive is readable to its end
    Verify {
        /// Its id, or enough of one end of it, or `latest`
        id: String,
        /// Of this database (for `latest`)
        #[arg(long)]
        database: Option<String>,
        /// Only the copy in this store; otherwise every copy
        #[arg(long)]
        store: Option<String>,
        /// The age identity file that opens it
        #[arg(long, value_name = "FILE", env = "CARETAKER_IDENTITY_FILE")]
        identity: Option<PathBuf>,
    },
    /// Keep a backup whatever the retention policy says
    Pin {
        /// Its id, or enough of one end of it
        id: String,
    },
    /// Let the retention policy have it again
    Unpin {
        /// Its id, or enough of one end of it
        id: String,
    },
    /// Show what the retention policies keep and delete, and why; delete with --apply
    Prune {
        /// Only this job's backups
        job: Option<String>,
        /// Delete what is to go
        #[arg(long)]
        apply: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup's id, or enough of one end of it, or `latest`
    pub id: String,
    /// The database's name in the configuration
    #[arg(long, value_name = "NAME")]
    pub database: String,
    /// The new or empty database to restore into: postgres://… or sqlite:///…
    #[arg(long, value_name = "URL")]
    pub into: String,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// The age identity file that opens it
    #[arg(long, value_name = "FILE", env = "CARETAKER_IDENTITY_FILE")]
    pub identity: Option<PathBuf>,
    /// Do not apply again what was erased since the backup: whoever was erased is back. It is logged
    #[arg(long)]
    pub without_replay: bool,
}
