//! Somebody who writes a little, again and again, and notes how long each time took.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two times.
const PAUSE: Duration = Duration::from_millis(2);

/// A writer at work.
pub struct Writer {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<f64>>,
}

impl Writer {
    /// Begins. `open` is called on the writer's own thread, what it gives once for each time.
    pub fn start<W: FnMut()>(open: impl FnOnce() -> W + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let (mut write, mut waits) = (open(), Vec::new());
            while !asked.load(Ordering::Relaxed) {
                let start = Instant::now();
                write();
                waits.push(start.elapsed().as_secs_f64());
                std::thread::sleep(PAUSE);
            }
            waits
        });
        Self { over, thread }
    }

    /// Ends; gives what it waited in 99 of 100 cases, and at most, in seconds.
    pub fn end(self) -> (f64, f64) {
        self.over.store(true, Ordering::Relaxed);
        let mut waits = self.thread.join().unwrap();
        waits.sort_by(f64::total_cmp);
        (waits[(waits.len() * 99 / 100).min(waits.len() - 1)], waits[waits.len() - 1])
    }

    /// The same when nothing else is at work.
    pub fn idle<W: FnMut()>(open: impl FnOnce() -> W + Send + 'static) -> (f64, f64) {
        let writer = Self::start(open);
        std::thread::sleep(Duration::from_secs(5));
        writer.end()
    }
}
