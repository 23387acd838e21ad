//! Waiting for what happens elsewhere: by looking again and again, never by sleeping and hoping.

use std::time::{Duration, Instant};

/// How long things that should happen at once may take on a busy machine.
pub fn patient() -> Duration {
    Duration::from_secs(30)
}

/// Looks every 50 ms until there is something, and gives it.
///
/// # Panics
/// When the deadline passes; says `what` was waited for.
pub fn eventually<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < deadline, "waited {deadline:?} in vain for: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// [`eventually`] for a condition.
pub fn until(what: &str, deadline: Duration, mut look: impl FnMut() -> bool) {
    eventually(what, deadline, || look().then_some(()));
}
