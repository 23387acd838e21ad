//! The daemon itself has failed. Nobody advances the outbox then, so this message goes out at once, from whatever
//! configuration there is: the present one, else what the daemon kept of the last good one.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use super::channels::open;
use super::test::host;
use super::{Channel, Message, MessageKind, Receipt, SendError};
use crate::config::{Channel as Settings, ChannelKind, Config};
use crate::state::Status;

/// A server that is just starting with the machine is tried again after this.
const PAUSE: Duration = Duration::from_secs(3);

/// What is kept of the last good configuration: who is to be told, and how. No secrets, only where they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastGood {
    environment: String,
    #[serde(default)]
    timezone: Option<String>,
    channels: BTreeMap<String, Settings>,
}

impl LastGood {
    /// Of a configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            environment: config.daemon.environment.as_str().to_owned(),
            timezone: config.alerts.timezone.iana_name().map(str::to_owned),
            channels: config.channels.iter().map(|(name, channel)| (name.to_string(), channel.clone())).collect(),
        }
    }

    /// Where it is kept.
    fn path(state_dir: &Path) -> PathBuf {
        state_dir.join("last-good.json")
    }

    /// Writes it, readable by its owner only, in the place of an older one.
    pub fn keep(&self, state_dir: &Path) -> std::io::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        let path = Self::path(state_dir);
        if std::fs::read(&path).is_ok_and(|old| old == text) {
            return Ok(());
        }
        let mut file = tempfile::Builder::new().prefix(".last-good.").tempfile_in(state_dir)?;
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    }

    /// Reads it again.
    pub fn recall(state_dir: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(Self::path(state_dir))?)?)
    }
}

/// Tells every recipient of the mail channels, or of all channels where there is none for mail, that a unit has failed;
/// all at the same time. A refusal that may pass is tried again until `within` is over.
///
/// `words`: what the unit said last, if that could be read.
pub async fn unit_failed(
    from: &LastGood,
    unit: &str,
    words: Option<&str>,
    within: Duration,
) -> Vec<(String, Result<Receipt, SendError>)> {
    let named = from.channels.iter().filter_map(|(name, settings)| Some((name.parse().ok()?, settings.clone())));
    let mut settings: BTreeMap<_, Settings> = named.collect();
    if settings.values().any(|settings| matches!(settings.kind, ChannelKind::Email(_))) {
        settings.retain(|_, settings| matches!(settings.kind, ChannelKind::Email(_)));
    }
    let message = message(from, unit, words);
    let deadline = Instant::now() + within;
    let channels = open(&settings);
    let everybody = channels.values().flat_map(|channel| {
        channel.recipients().into_iter().map(|recipient| tell(channel.as_ref(), recipient, &message, deadline))
    });
    futures::future::join_all(everybody).await
}

async fn tell(
    channel: &dyn Channel,
    recipient: String,
    message: &Message,
    deadline: Instant,
) -> (String, Result<Receipt, SendError>) {
    loop {
        let sent = match tokio::time::timeout_at(deadline, channel.send(message, &recipient)).await {
            Ok(sent) => sent,
            Err(_) => Err(SendError::Temporary { message: "no answer in time".to_owned(), retry_after: None }),
        };
        if !matches!(sent, Err(SendError::Temporary { .. })) || Instant::now() + PAUSE >= deadline {
            return (recipient, sent);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn message(from: &LastGood, unit: &str, words: Option<&str>) -> Message {
    let what = format!("{unit} has failed and was given up: its databases are not looked after.");
    Message {
        id: Uuid::now_v7().to_string(),
        kind: MessageKind::Opened,
        severity: Status::Critical,
        at: Timestamp::now(),
        host: host(),
        environment: from.environment.clone(),
        timezone: from.timezone.clone(),
        incidents: Vec::new(),
        sections: Vec::new(),
        text: std::iter::once(what).chain(words.map(str::to_owned)).collect(),
    }
}
