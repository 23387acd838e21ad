//! An upload into a directory: a bounded channel to a blocking thread that owns the file.

use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::super::{StoreError, StoreErrorKind, Stored, Upload};
use super::fault::local_error;
use super::file::Partial;
use crate::config::StoreName;

/// Chunks between the pipeline and the disk.
const QUEUE: usize = 8;

enum Message {
    Chunk(Bytes),
    Finish(oneshot::Sender<Outcome>),
}

/// Sizes sent and found.
type Outcome = Result<(u64, u64), io::Error>;

/// An object being written into a directory.
pub struct LocalUpload {
    store: StoreName,
    root: PathBuf,
    target: PathBuf,
    sender: Option<mpsc::Sender<Message>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl LocalUpload {
    /// Creates the temporary file and starts its writer.
    pub async fn begin(
        threads: &TaskTracker,
        store: StoreName,
        root: PathBuf,
        target: PathBuf,
    ) -> Result<Self, StoreError> {
        let (kept_root, kept_target) = (root.clone(), target.clone());
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (created, creation) = oneshot::channel();
        let thread = threads.spawn_blocking(move || match Partial::create(&root, target) {
            Ok(partial) => {
                // Nobody waits any more: the loop sees a closed channel and removes the file.
                let _ = created.send(Ok(()));
                write_all(partial, receiver)
            }
            Err(error) => {
                let _ = created.send(Err(error));
                Ok(())
            }
        });
        let upload = Self { store, root: kept_root, target: kept_target, sender: Some(sender), thread: Some(thread) };
        match creation.await {
            Ok(Ok(())) => Ok(upload),
            Ok(Err(error)) => Err(upload.error(error)),
            Err(_) => Err(upload.error(io::Error::other("the writing thread ended"))),
        }
    }

    fn error(&self, error: io::Error) -> StoreError {
        local_error(&self.store, &self.root, "write", &self.target, error)
    }

    /// Why the writer has hung up.
    async fn reason(&mut self) -> StoreError {
        self.sender = None;
        let error = match self.thread.take() {
            Some(thread) => match thread.await {
                Ok(Err(error)) => error,
                Ok(Ok(())) => io::Error::other("the upload was interrupted before"),
                Err(panic) => io::Error::other(panic),
            },
            None => io::Error::other("the upload has failed before"),
        };
        self.error(error)
    }
}

/// The writer's life: chunks until told to finish. When it ends in any other way, the file goes.
fn write_all(mut partial: Partial, mut messages: mpsc::Receiver<Message>) -> io::Result<()> {
    while let Some(message) = messages.blocking_recv() {
        match message {
            Message::Chunk(chunk) => partial.write(&chunk)?,
            Message::Finish(reply) => {
                let target = partial.target().to_owned();
                let outcome = settle(partial, &reply);
                if let Err(Ok(_)) = reply.send(outcome) {
                    // Given up while it was being renamed: nobody knows of it.
                    let _ = std::fs::remove_file(target);
                }
                return Ok(());
            }
        }
    }
    Ok(())
}

fn settle(mut partial: Partial, reply: &oneshot::Sender<Outcome>) -> Outcome {
    let found = partial.settle()?;
    let sent = partial.written();
    if found == sent {
        if reply.is_closed() {
            return Err(io::Error::other("given up"));
        }
        partial.publish()?;
    }
    Ok((sent, found))
}

#[async_trait]
impl Upload for LocalUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        if chunk.is_empty() {
            return Ok(());
        }
        // Taken out until this is through: a write that is cancelled on the way leaves a hole.
        if let Some(sender) = self.sender.take()
            && sender.send(Message::Chunk(chunk)).await.is_ok()
        {
            self.sender = Some(sender);
            return Ok(());
        }
        Err(self.reason().await)
    }

    async fn finish(mut self: Box<Self>) -> Result<Stored, StoreError> {
        let (reply, outcome) = oneshot::channel();
        let taken = match self.sender.take() {
            Some(sender) => sender.send(Message::Finish(reply)).await.is_ok(),
            None => false,
        };
        if !taken {
            return Err(self.reason().await);
        }
        match outcome.await {
            Ok(Ok((sent, found))) if sent == found => Ok(Stored { segments: vec![sent] }),
            Ok(Ok((sent, found))) => Err(StoreError {
                store: self.store.clone(),
                operation: "write",
                object: self.target.display().to_string(),
                kind: StoreErrorKind::Mismatch(format!("{sent} bytes were written, the file has {found}")),
                source: None,
            }),
            Ok(Err(error)) => Err(self.error(error)),
            Err(_) => Err(self.reason().await),
        }
    }

    async fn abort(mut self: Box<Self>) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // Whatever it met, the file is gone as far as the file system lets it.
            let _ = thread.await;
        }
    }
}
