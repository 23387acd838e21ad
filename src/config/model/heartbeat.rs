//! `[heartbeat]`, and the heartbeats of jobs

use std::path::PathBuf;
use std::time::Duration;

use super::SecretSource;

/// An address that is pinged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Where the address is.
    pub url: SecretSource,
    /// The authority whose certificates are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// `[heartbeat]`: an address that is pinged as long as the daemon does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Which.
    pub ping: Ping,
    /// How often; default 1 min.
    pub every: Duration,
}
