//! How far a run has come: counters that its workers raise and that bar, status and logs read.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// A run's counters. Shared by reference; raising one is an atomic addition.
#[derive(Debug, Default)]
pub struct Progress {
    phase: Mutex<&'static str>,
    bytes_in: AtomicU64,
    bytes_stored: AtomicU64,
    bytes_expected: AtomicU64,
    /// Raised by anything that counts as life, so that a stall can be told.
    beats: AtomicU64,
}

/// A run's progress at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgressView {
    /// What it is doing: `dump`, `verify`, …
    pub phase: &'static str,
    /// Plain bytes read from the source.
    pub bytes_in: u64,
    /// Bytes given to the stores.
    pub bytes_stored: u64,
    /// How many plain bytes are expected in all, if something is known of it.
    pub bytes_expected: Option<u64>,
    #[serde(skip)]
    pub(super) beats: u64,
}

impl Progress {
    /// Names what is being done now.
    pub fn phase(&self, phase: &'static str) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
        self.beat();
    }

    /// Plain bytes were read.
    pub fn add_in(&self, bytes: u64) {
        self.bytes_in.fetch_add(bytes, Ordering::Relaxed);
        self.beat();
    }

    /// Bytes were taken by a store.
    pub fn add_stored(&self, bytes: u64) {
        self.bytes_stored.fetch_add(bytes, Ordering::Relaxed);
        self.beat();
    }

    /// So many plain bytes are expected in all.
    pub fn expect(&self, bytes: u64) {
        self.bytes_expected.store(bytes, Ordering::Relaxed);
    }

    /// Something moved.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Beats while `work` goes on, which counts nothing but has deadlines of its own.
    pub async fn beat_during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            match tokio::time::timeout(Duration::from_secs(1), &mut work).await {
                Ok(done) => return done,
                Err(_) => self.beat(),
            }
        }
    }

    /// Where it stands.
    pub fn view(&self) -> ProgressView {
        let expected = self.bytes_expected.load(Ordering::Relaxed);
        ProgressView {
            phase: *self.phase.lock().unwrap_or_else(PoisonError::into_inner),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_stored: self.bytes_stored.load(Ordering::Relaxed),
            bytes_expected: (expected > 0).then_some(expected),
            beats: self.beats.load(Ordering::Relaxed),
        }
    }
}
