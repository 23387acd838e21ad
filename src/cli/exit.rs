//! Exit codes, and errors as the command line tells them.

use std::process::ExitCode;

use crate::run::{Failure, Refusal};

/// The exit codes; the same table stands in `--help` and in the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: it failed, or was only partial.
    Failed,
    /// 2: usage or configuration.
    Usage,
    /// 3: refused for safety.
    Refused,
    /// 4: another run holds the lease.
    Busy,
    /// 5: it found something wrong.
    Found,
    /// 6: it could not see.
    Unseen,
    /// The code of a Nagios plugin: 0 to 3.
    Nagios(u8),
    /// 130: interrupted.
    Interrupted,
}

impl Exit {
    /// The code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Busy => 4,
            Self::Found => 5,
            Self::Unseen => 6,
            Self::Nagios(code) => code,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table in `--help`.
pub(super) const HELP: &str = "\
Exit codes:
  0    done
  1    it failed, or was only partial
  2    usage or configuration
  3    refused for safety: it would delete or overwrite what must be kept
  4    busy: another run holds the lease
  5    it found something wrong: a failed verification or comparison, a check that is WARNING or CRITICAL
  6    it could not see: a check that is UNKNOWN, and none that is worse
  130  interrupted";

/// An error as the command line tells it.
#[derive(Debug)]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// One line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the message is laid out already, on several lines.
    pub rendered: bool,
}

impl CliError {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None, rendered: false }
    }

    /// Exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Exit code 3.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// With a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl<T: Into<Failure>> From<T> for CliError {
    fn from(error: T) -> Self {
        let failure: Failure = error.into();
        let exit = match failure.refused {
            Some(Refusal::Safety) => Exit::Refused,
            Some(Refusal::Busy) => Exit::Busy,
            Some(Refusal::Settled) | None => Exit::Failed,
        };
        Self { exit, message: failure.message, hint: failure.hint, rendered: false }
    }
}
