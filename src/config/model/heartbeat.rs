//! `[heartbeat]`

use std::time::Duration;

use super::SecretSource;

/// `[heartbeat]`: an address that is pinged as long as the daemon does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Where the address is.
    pub url: SecretSource,
    /// How often; default 1 min.
    pub every: Duration,
}
