//! The outbox: from a notification that waits to one that was delivered.
//!
//! Each recipient has a queue of its own, so that one who cannot be reached holds nobody else up. Within a queue the
//! notifications go out in their order. While the other side takes nothing, only the oldest is tried, at growing
//! intervals; a notification that alone cannot be delivered is passed by the others, but never by one about the same
//! incident.
//!
//! Each delivery is written down before the next one begins. A process that is killed between a delivery and its record
//! delivers that one notification a second time, under the same id.

mod backoff;
mod lane;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::service::Beat;
use super::{Channel, patience};
use crate::config::ChannelName;
use crate::fault::chain;
use crate::state::{State, StateError, Status};
use lane::{Lane, Rest};

/// The channels by name.
pub(super) type Channels = Arc<BTreeMap<ChannelName, Arc<dyn Channel>>>;

/// How often the outbox is looked at, should nobody say that there is something in it.
const EVERY: Duration = Duration::from_secs(1);

/// How long deliveries that are under way may take when the daemon ends.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A recipient: channel and address.
pub(super) type Whom = (String, String);

/// What delivers.
pub(super) struct Outbox {
    pub state: State,
    pub channels: watch::Receiver<Channels>,
    /// Told when something was queued.
    pub wake: Arc<Notify>,
    pub beat: Beat,
    pub cancel: CancellationToken,
}

/// A queue at work, and what it has come to.
type Working = FuturesUnordered<BoxFuture<'static, (Whom, Lane, Rest)>>;

impl Outbox {
    /// Delivers until it is cancelled.
    pub async fn run(self) {
        let mut working = Working::new();
        let mut busy: BTreeSet<Whom> = BTreeSet::new();
        let mut resting: HashMap<Whom, (Lane, Option<Instant>)> = HashMap::new();
        let mut last_error = None;
        while !self.cancel.is_cancelled() {
            match self.begin(&mut working, &mut busy, &mut resting).await {
                Ok(()) => {
                    last_error = None;
                    self.beat.now();
                }
                Err(error) => {
                    let error = Some(chain(&error));
                    if error != last_error {
                        tracing::error!(error = error.as_deref(), "the outbox cannot be read");
                    }
                    last_error = error;
                }
            }
            tokio::select! {
                Some((whom, lane, rest)) = working.next() => {
                    busy.remove(&whom);
                    resting.insert(whom, (lane, rest.until));
                }
                () = self.wake.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
                () = self.cancel.cancelled() => {}
            }
        }
        let rest = async { while working.next().await.is_some() {} };
        if timeout(LAST_WORDS, rest).await.is_err() {
            tracing::warn!("deliveries are cut off; they are tried again at the next start");
        }
    }

    /// Starts the queues that have something to do.
    async fn begin(
        &self,
        working: &mut Working,
        busy: &mut BTreeSet<Whom>,
        resting: &mut HashMap<Whom, (Lane, Option<Instant>)>,
    ) -> Result<(), StateError> {
        let channels = Arc::clone(&self.channels.borrow());
        for whom in self.state.outbox_recipients().await? {
            let found = channels.iter().find(|(name, _)| name.as_str() == whom.0);
            // What waits for a channel that is not configured now waits until it is again, or too late.
            let Some(channel) = found.map(|(_, channel)| Arc::clone(channel)) else { continue };
            let is_resting = |(_, until): &(Lane, Option<Instant>)| until.is_some_and(|until| until > Instant::now());
            if busy.contains(&whom) || resting.get(&whom).is_some_and(is_resting) {
                continue;
            }
            let mut lane = match resting.remove(&whom) {
                Some((lane, _)) => lane,
                None => Lane::new(self.is_in_trouble(&whom).await?),
            };
            busy.insert(whom.clone());
            let (state, cancel) = (self.state.clone(), self.cancel.clone());
            working.push(Box::pin(async move {
                let rest = lane.work(&whom, channel.as_ref(), &state, &cancel).await;
                (whom, lane, rest)
            }));
        }
        Ok(())
    }

    /// Whether it was said last that nothing reaches a recipient.
    async fn is_in_trouble(&self, whom: &Whom) -> Result<bool, StateError> {
        let said = self.state.last_checks(patience::DELIVERY, Some(&whom.0)).await?;
        let key = lane::key(whom);
        Ok(said.iter().any(|last| last.observation.key == key && last.observation.status > Status::Ok))
    }
}
