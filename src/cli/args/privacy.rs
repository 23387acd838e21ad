//! The arguments of `privacy`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PrivacyCommand {
    /// Say what applying a policy would do now, rule by rule; nothing is written
    Plan {
        /// The policy; may be left out where there is only one
        policy: Option<String>,
    },
    /// Apply a policy now, after showing its plan and asking
    Apply {
        /// The policy; may be left out where there is only one
        policy: Option<String>,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Approve a policy in the form it has now: until then, a changed one is only planned
    Approve {
        /// The policy
        policy: String,
        /// The hash that the plan shows, or its beginning
        hash: String,
    },
    /// Erase a person wherever the policy says that they stand, after showing what is found and asking
    Erase {
        /// The policy
        policy: String,
        /// The person, by the key that the policy's subject has
        #[arg(long, value_name = "ID")]
        subject: String,
        /// Why, for the ledger and the certificate: it is kept, so it must not tell who
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Only say what is found
        #[arg(long)]
        dry_run: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Write what is held about a person as JSON
    Export {
        /// The policy
        policy: String,
        /// The person, by the key that the policy's subject has
        #[arg(long, value_name = "ID")]
        subject: String,
        /// Into this file, which only its owner may read; default: standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// The ledger of erasures: how they stand, when they were received and are due
    Erasures {
        /// Only under this policy
        policy: Option<String>,
        /// One of them with its certificate: its id, or enough of one end of it
        #[arg(long, value_name = "ERASURE")]
        show: Option<String>,
    },
    /// List the rows that were archived before they went: where, how many, until when
    Archives {
        /// Only under this policy
        policy: Option<String>,
    },
    /// Apply what was erased again to a copy of a database: one that was restored without that, or by other means, or whose
    /// restore was cut off meanwhile
    Replay {
        /// The database's name in the configuration
        database: String,
        /// The copy: postgres://… or sqlite:///…
        #[arg(long, value_name = "URL")]
        into: String,
        /// The age identity file that opens the ledger in the stores, where backups are encrypted
        #[arg(long, value_name = "FILE", env = "CARETAKER_IDENTITY_FILE")]
        identity: Option<PathBuf>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Print the certificate of a run or of an erasure: what was done, what was held, what remains, and which lines of the log
    /// say so. Exit code 5 if the log does not verify
    Certificate {
        /// A run's id or an erasure's, or enough of one end of it; `latest`: the policy's last run
        #[arg(value_name = "RUN|ERASURE|latest")]
        of: String,
        /// Whose last run; may be left out where there is only one policy
        #[arg(long, value_name = "POLICY")]
        policy: Option<String>,
        /// As a page that can be printed
        #[arg(long)]
        html: bool,
        /// Into this file, which must not exist; default: standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Look which columns the policy does not classify, and what columns' values look like. Exit code 5 if a column has no
    /// class, an entry has no column, or what is public looks personal. Values are never printed
    Coverage {
        /// The policy; may be left out where there is only one
        policy: Option<String>,
        /// Rows that are read of each table, at most
        #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        sample: u32,
    },
    /// Print what makes the queue in which applications ask for erasures: its table, and a trigger that writes down who is
    /// deleted
    InstallTriggers {
        /// The policy; may be left out where there is only one
        policy: Option<String>,
        /// Do it, rather than print it
        #[arg(long)]
        install: bool,
        /// Remove queue and trigger; refused while requests stand there
        #[arg(long, conflicts_with = "install")]
        uninstall: bool,
        /// Remove the queue although requests stand there: they are lost
        #[arg(long, requires = "uninstall")]
        forget_requests: bool,
        /// Only print what would be done
        #[arg(long)]
        dry_run: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Keep a person's rows, or others, whatever the policy says
    #[command(subcommand)]
    Hold(HoldCommand),
    /// What was done: the disposition log. With `--format json` one line each
    Log {
        /// Only under this policy
        policy: Option<String>,
        /// From this line on
        #[arg(long, value_name = "LINE", default_value_t = 0)]
        from: u64,
    },
    /// Look through the log for lines that were changed, taken out or cut off
    VerifyLog {
        /// The age identity file that opens the lines in the stores, where they are encrypted: without it only the log's ends
        /// are compared with those
        #[arg(long, value_name = "FILE", env = "CARETAKER_IDENTITY_FILE")]
        identity: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum HoldCommand {
    /// Put a hold
    Add {
        /// The policy
        policy: String,
        /// A person, by the key that the policy's subject has
        #[arg(long, value_name = "ID", conflicts_with_all = ["table", "condition"])]
        subject: Option<String>,
        /// A table
        #[arg(long, requires = "condition")]
        table: Option<String>,
        /// Which of its rows, as SQL
        #[arg(long = "where", value_name = "CONDITION", requires = "table")]
        condition: Option<String>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Until when: `2027-01-31T00:00:00Z`; default: until it is released
        #[arg(long, value_name = "INSTANT")]
        until: Option<jiff::Timestamp>,
    },
    /// The holds that hold
    List {
        /// Only under this policy
        policy: Option<String>,
        /// Also those that were released or have run out
        #[arg(long)]
        all: bool,
    },
    /// Release a hold
    Release {
        /// Its id, or enough of one end of it; with `--subject`, the policy
        #[arg(value_name = "HOLD|POLICY")]
        hold: String,
        /// The holds on this person
        #[arg(long, value_name = "ID")]
        subject: Option<String>,
    },
}
