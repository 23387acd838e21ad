//! Anchors written: to every store what it does not know yet.

use bytes::Bytes;
use futures::future::join_all;
use jiff::Timestamp;
use serde_json::json;

use super::reach::{in_time, open};
use super::seal::{recipients, seal};
use super::{Missed, folder, ledger, stem, stores};
use crate::archive::codec::object_name;
use crate::config::{Compression, Config, StoreName};
use crate::fault::chain;
use crate::run::host;
use crate::state::{LogHead, State, StateError};
use crate::store::{ObjectKey, Store};

/// Writes down in every store what it does not know yet of the ledger and of where the log stands. Returns the stores that
/// could not be told; they are next time.
pub async fn write(config: &Config, state: &State) -> Result<Vec<Missed>, StateError> {
    let (stores, head) = (stores(config), state.log_head().await?);
    if stores.is_empty() || head.seq == 0 {
        return Ok(Vec::new());
    }
    let anchoring = &Anchoring { config, state, head, folder: folder(state).await? };
    let writes = stores.into_iter().map(|name| async move {
        let error = in_time(anchoring.tell(name)).await.err()?;
        tracing::warn!(store = %name, error, "the disposition log is not anchored here; tried again next time");
        Some(Missed::new(name, error))
    });
    Ok(join_all(writes).await.into_iter().flatten().collect())
}

struct Anchoring<'a> {
    config: &'a Config,
    state: &'a State,
    head: LogHead,
    folder: String,
}

impl Anchoring<'_> {
    async fn tell(&self, name: &StoreName) -> Result<(), String> {
        let of_state = |error: StateError| chain(&error);
        let told = self.state.anchored(name.as_str()).await.map_err(of_state)?;
        // What is new in the ledger has a line in the log.
        if told >= self.head.seq {
            return Ok(());
        }
        let store = open(self.config, name).await?;
        ledger::tell(self.config, self.state, store.as_ref()).await?;
        self.lines(store.as_ref(), told).await?;
        store.close().await;
        self.state.set_anchored(name.as_str(), self.head.seq, Timestamp::now()).await.map_err(of_state)
    }

    /// The lines since the last anchor, then the anchor.
    async fn lines(&self, store: &dyn Store, told: u64) -> Result<(), String> {
        // Whoever may read a backup may read the log. One log is about all databases.
        let recipients = recipients(self.config, None)?;
        let stem = stem(&self.head);
        let lines = object_name(&format!("{stem}.jsonl"), Compression::None, !recipients.is_empty());
        let records = self.state.log_records(told + 1, None).await.map_err(|error| chain(&error))?;
        let mut text = Vec::new();
        for record in records.iter().filter(|record| record.seq <= self.head.seq) {
            text.extend(serde_json::to_vec(record).map_err(|error| error.to_string())?);
            text.push(b'\n');
        }
        let sealed = seal(text, recipients).await?;
        let anchor = json!({
            "format_version": 1, "host": host(), "at": Timestamp::now(), "head": self.head, "first": told + 1, "lines": lines,
        });
        // What is there stays as it is: it was written by whoever came to the same line first.
        for (object, bytes) in [(lines, sealed), (format!("{stem}.json"), Bytes::from(format!("{anchor:#}\n")))] {
            store.put_new(&ObjectKey::new(&[&self.folder, &object]), bytes).await.map_err(|error| chain(&error))?;
        }
        Ok(())
    }
}
