//! A message that is sent to see whether it arrives.

use jiff::Timestamp;
use uuid::Uuid;

use super::channels::open;
use super::{Message, MessageKind, Receipt, SendError};
use crate::config::{ChannelName, Config};
use crate::state::Status;

/// Sends a test message to every recipient of a channel, one after the other, at once and outside the outbox. Gives each
/// with the other side's answer; nothing for a channel that is not configured.
pub async fn test(config: &Config, channel: &ChannelName) -> Vec<(String, Result<Receipt, SendError>)> {
    let only = config.channels.get(channel).map(|settings| (channel.clone(), settings.clone()));
    let mut results = Vec::new();
    for channel in open(&only.into_iter().collect()).values() {
        for recipient in channel.recipients() {
            let result = channel.send(&test_message(config), &recipient).await;
            results.push((recipient, result));
        }
    }
    results
}

/// A new test message.
pub fn test_message(config: &Config) -> Message {
    Message {
        id: Uuid::now_v7().to_string(),
        kind: MessageKind::Test,
        severity: Status::Ok,
        at: Timestamp::now(),
        host: host(),
        environment: config.daemon.environment.as_str().to_owned(),
        timezone: config.alerts.timezone.iana_name().map(str::to_owned),
        incidents: Vec::new(),
        sections: Vec::new(),
        text: vec![
            "This is a test. Whoever reads this will also read what Caretaker has to say about its databases."
                .to_owned(),
        ],
    }
}

/// This machine's name.
pub(super) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
