//! One object, from the source's plain bytes to every store.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::Making;
use crate::archive::codec::{Encoded, Encoder, object_name};
use crate::archive::manifest::Object;
use crate::backup::fanout::Fanout;
use crate::backup::layout::object_key;
use crate::run::Failure;

impl Making<'_> {
    /// Streams one object to all stores. `produce` runs on a blocking thread and pushes plain bytes; `confirm` decides
    /// afterwards whether they are all: only then does the object appear.
    pub(in crate::backup) async fn stream<T, P, C>(
        &mut self,
        base: &str,
        produce: P,
        confirm: C,
    ) -> Result<(Object, T), Failure>
    where
        T: Send + 'static,
        P: FnOnce(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<T> + Send + 'static,
        C: Future<Output = Result<(), Failure>>,
    {
        let name = object_name(base, self.spec.compression, !self.spec.recipients.is_empty());
        let key = object_key(self.wish.settings.database.as_str(), self.id.as_str(), &name);
        let fanout = Fanout::begin(&self.destinations, &key, self.stall(), &self.context.cancel);
        let shared = Arc::new(std::sync::Mutex::new(Some(fanout)));
        let (sink_side, progress) = (Arc::clone(&shared), Arc::clone(&self.context.progress));
        let spec = self.spec.clone();
        let pumped = tokio::task::spawn_blocking(move || {
            let stored = Arc::clone(&progress);
            let mut encoder = Encoder::new(&spec, move |chunk: Bytes| {
                let mut fanout = sink_side.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let fanout = fanout.as_mut().ok_or_else(|| io::Error::other("the object was given up"))?;
                fanout.send_blocking(&chunk)?;
                stored.add_stored(chunk.len() as u64);
                Ok(())
            })?;
            let made = produce(&mut |bytes| {
                progress.add_in(bytes.len() as u64);
                encoder.write(bytes)
            })?;
            Ok::<_, io::Error>((encoder, made))
        });
        // Both at once: a source that is told to end lets a pump that waits for it go on.
        let (confirmed, pumped) = tokio::join!(confirm, pumped);
        let pumped = pumped.unwrap_or_else(|panic| Err(io::Error::other(format!("a bug: {panic}"))));
        // The source's own verdict comes first: a child that failed explains a pipe that ended.
        let finished: Result<(Encoded, T), Failure> = match (confirmed, pumped) {
            (Ok(()), Ok((encoder, made))) => {
                let encoded = tokio::task::spawn_blocking(move || encoder.finish()).await;
                match encoded.unwrap_or_else(|panic| Err(io::Error::other(format!("a bug: {panic}")))) {
                    Ok(encoded) => Ok((encoded, made)),
                    Err(error) => Err(self.sink_failure(&error)),
                }
            }
            (Ok(()), Err(error)) => Err(self.sink_failure(&error)),
            (Err(failure), Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                tracing::debug!(failure = failure.message, "the source was ended because no store was left");
                Err(self.sink_failure(&error))
            }
            (Err(failure), _) => Err(failure),
        };
        let fanout = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(fanout) = fanout else { return Err(Failure::new("a bug: the object's lanes are gone")) };
        match finished {
            Ok((encoded, made)) => {
                let finish = fanout.finish(encoded.stored_bytes, &mut self.destinations);
                self.context.progress.beat_during(finish).await;
                self.any_left()?;
                Ok((object(name, encoded), made))
            }
            Err(failure) => {
                self.context.progress.beat_during(fanout.abort(&mut self.destinations)).await;
                // The stores' own errors say more than "no store is left".
                self.any_left()?;
                Err(failure)
            }
        }
    }

    fn sink_failure(&self, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::Interrupted => Failure::new("cancelled"),
            _ => Failure::new(format!("the bytes could not be processed: {error}")).retryable(),
        }
    }
}

fn object(name: String, encoded: Encoded) -> Object {
    Object {
        name,
        bytes: encoded.stored_bytes,
        sha256: encoded.stored_sha256,
        plain_bytes: encoded.plain_bytes,
        plain_sha256: encoded.plain_sha256,
    }
}
