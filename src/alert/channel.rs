//! What every way of telling people has in common.

use std::time::Duration;

use async_trait::async_trait;

use super::Message;

/// A way of telling people: mail, a webhook, a file.
#[async_trait]
pub trait Channel: Send + Sync {
    /// To whom: each has a queue of its own, so that one who cannot be reached holds nobody else up. A channel without
    /// addresses (a webhook, a file) has one recipient, its own name.
    fn recipients(&self) -> Vec<String>;

    /// Delivers a message to one recipient. The caller sets a deadline and drops the future when it has passed. May be
    /// called again with the same message when it is not known whether it arrived; what is sent then must be recognisable
    /// as the same (Message-ID, deduplication key).
    async fn send(&self, message: &Message, recipient: &str) -> Result<Receipt, SendError>;

    /// Tries as much as can be tried without sending anything, and says what it found. The caller sets a deadline.
    async fn probe(&self) -> Result<Receipt, SendError>;
}

/// What the other side answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt(
    /// For people: `250 2.0.0 Ok: queued as 4F1B2`, `HTTP 204`.
    pub String,
);

/// Why a message was not delivered. Never holds a secret: no URL with a token in it, no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Another attempt may help: the server is down, busy, or asks to come again.
    #[error("{message}")]
    Temporary {
        /// What happened.
        message: String,
        /// When the other side wants to see us again.
        retry_after: Option<Duration>,
    },
    /// Another attempt will not help until somebody changes something: an address that does not exist, a wrong password.
    #[error("{message}")]
    Permanent {
        /// What happened.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
}
