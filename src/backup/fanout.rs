//! One stream of stored bytes to all stores at once, each behind its own bounded queue.
//!
//! A store that fails, or takes nothing for too long, falls out; the others go on. The stream ends for all of them
//! together: only after [`Fanout::finish`] does an object appear anywhere.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::destination::Destination;
use crate::run::Failure;
use crate::store::{ObjectKey, Store, StoreError, StoreErrorKind, Stored};

/// Chunks (of 1 MiB) that may wait for each store.
const QUEUE: usize = 8;

/// How long a store may take to remove what was sent to it.
const ABORT_WITHIN: Duration = Duration::from_secs(30);

enum Message {
    Chunk(Bytes),
    Finish,
}

struct Lane {
    /// Which of the destinations this is.
    destination: usize,
    sender: Option<mpsc::Sender<Message>>,
    stalled: CancellationToken,
    task: JoinHandle<Result<Stored, Unstored>>,
}

/// Why a lane has stored nothing.
enum Unstored {
    /// It was told to give the object up.
    GivenUp,
    /// Its store has failed.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Unstored {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// An object on its way to every store that takes part.
pub(super) struct Fanout {
    lanes: Vec<Lane>,
    runtime: Handle,
    cancel: CancellationToken,
    stall: Duration,
}

impl Fanout {
    /// Begins the object in every destination that takes part. `stall`: how long a store may take nothing.
    pub(super) fn begin(
        destinations: &[Destination],
        key: &ObjectKey,
        stall: Duration,
        cancel: &CancellationToken,
    ) -> Self {
        let mut lanes = Vec::new();
        for (index, destination) in destinations.iter().enumerate() {
            let Some(store) = destination.store() else { continue };
            let (sender, receiver) = mpsc::channel(QUEUE);
            let stalled = CancellationToken::new();
            let task = tokio::spawn(carry(std::sync::Arc::clone(store), key.clone(), receiver, stalled.clone(), stall));
            lanes.push(Lane { destination: index, sender: Some(sender), stalled, task });
        }
        Self { lanes, runtime: Handle::current(), cancel: cancel.clone(), stall }
    }

    /// Gives the next chunk to every store, waiting for room; for use on a blocking thread. Fails when no store is left
    /// or the run is cancelled.
    pub(super) fn send_blocking(&mut self, chunk: &Bytes) -> io::Result<()> {
        let runtime = self.runtime.clone();
        runtime.block_on(self.send(chunk))
    }

    /// As [`Self::send_blocking`], for asynchronous callers.
    pub(super) async fn send(&mut self, chunk: &Bytes) -> io::Result<()> {
        // One deadline for all: they drain side by side, so that two slow stores take no longer to be found out than one.
        let deadline = Instant::now() + self.stall;
        for lane in &mut self.lanes {
            let Some(sender) = &lane.sender else { continue };
            let sent = tokio::select! {
                sent = timeout_at(deadline, sender.send(Message::Chunk(chunk.clone()))) => sent,
                () = self.cancel.cancelled() => return Err(io::Error::new(io::ErrorKind::Interrupted, "cancelled")),
            };
            match sent {
                Ok(Ok(())) => {}
                // Its task has ended; the reason is found at the end.
                Ok(Err(_)) => lane.sender = None,
                Err(_) => {
                    lane.stalled.cancel();
                    lane.sender = None;
                }
            }
        }
        if self.lanes.iter().any(|lane| lane.sender.is_some()) {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::BrokenPipe, "no store is left"))
        }
    }

    /// Completes the object everywhere and takes out those destinations where that fails, or where the size is not
    /// `bytes`.
    pub(super) async fn finish(mut self, bytes: u64, destinations: &mut [Destination]) {
        let deadline = Instant::now() + self.stall;
        for lane in &mut self.lanes {
            if let Some(sender) = lane.sender.take() {
                // A store whose task has ended, or that takes nothing now, is found out below.
                if timeout_at(deadline, sender.send(Message::Finish)).await.is_err() {
                    lane.stalled.cancel();
                }
            }
        }
        self.collect(Some(bytes), destinations).await;
    }

    /// Gives the object up everywhere and removes what was sent of it.
    pub(super) async fn abort(mut self, destinations: &mut [Destination]) {
        for lane in &mut self.lanes {
            lane.sender = None;
        }
        self.collect(None, destinations).await;
    }

    async fn collect(self, bytes: Option<u64>, destinations: &mut [Destination]) {
        for lane in self.lanes {
            let destination = &mut destinations[lane.destination];
            match (lane.task.await, bytes) {
                (Ok(Ok(stored)), Some(bytes)) if stored.bytes() != bytes => destination.fail(Failure::new(format!(
                    "store {}: {} bytes were sent and {} are stored",
                    destination.name,
                    bytes,
                    stored.bytes()
                ))),
                (Ok(Ok(_)), _) | (Ok(Err(Unstored::GivenUp)), _) => {}
                // Also of an object that is given up: often because of this.
                (Ok(Err(Unstored::Failed(failure))), _) => destination.fail(failure),
                (Err(panic), _) => {
                    destination.fail(Failure::new(format!("store {}: a bug: {panic}", destination.name)));
                }
            }
        }
    }
}

/// A store that has taken nothing for so long.
pub(super) fn too_slow(store: &dyn Store, key: &ObjectKey, stall: Duration) -> Failure {
    Failure::from(StoreError {
        store: store.name().clone(),
        operation: "write",
        object: key.to_string(),
        kind: StoreErrorKind::Stalled(stall.as_secs()),
        source: None,
    })
}

/// One store's part: takes chunks off its queue until the end. A queue that closes without an end means: give it up.
async fn carry(
    store: std::sync::Arc<dyn Store>,
    key: ObjectKey,
    mut queue: mpsc::Receiver<Message>,
    stalled: CancellationToken,
    stall: Duration,
) -> Result<Stored, Unstored> {
    let too_slow = || too_slow(store.as_ref(), &key, stall);
    let mut upload = tokio::select! {
        upload = store.begin(&key) => upload?,
        () = stalled.cancelled() => return Err(too_slow().into()),
    };
    loop {
        let why = match queue.recv().await {
            Some(Message::Chunk(chunk)) => tokio::select! {
                written = upload.write(chunk) => match written {
                    Ok(()) => continue,
                    Err(error) => Unstored::from(error),
                },
                () = stalled.cancelled() => too_slow().into(),
            },
            Some(Message::Finish) => {
                return match timeout(stall.max(Duration::from_secs(60)), upload.finish()).await {
                    Ok(finished) => Ok(finished?),
                    Err(_) => Err(too_slow().into()),
                };
            }
            None => Unstored::GivenUp,
        };
        if timeout(ABORT_WITHIN, upload.abort()).await.is_err() {
            tracing::warn!(store = %store.name(), key = %key, "what was sent is not removed yet");
        }
        return Err(why);
    }
}
