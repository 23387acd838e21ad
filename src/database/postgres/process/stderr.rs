//! What a tool says on standard error: read to the end, kept within bounds.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::AsyncReadExt;
use tokio::process::ChildStderr;
use tokio::task::JoinHandle;

/// How much is kept: the end, since the reason stands there.
const KEPT_BYTES: usize = 64 * 1024;
/// Longer lines are cut: a failed statement can hold a whole row.
const LINE_BYTES: usize = 4 * 1024;

/// Takes lines as they come.
pub(super) trait LineSink: Send + 'static {
    fn line(&mut self, line: &str);
}

/// The last lines.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pub lines: VecDeque<String>,
    bytes: usize,
    pub dropped: u64,
}

impl LineSink for Tail {
    fn line(&mut self, line: &str) {
        self.bytes += line.len() + 1;
        self.lines.push_back(line.to_owned());
        while self.bytes > KEPT_BYTES {
            let Some(first) = self.lines.pop_front() else { break };
            self.bytes -= first.len() + 1;
            self.dropped += 1;
        }
    }
}

impl Tail {
    /// The kept lines, led by a note if some were dropped.
    pub fn into_lines(self) -> Vec<String> {
        let note = (self.dropped > 0).then(|| format!("({} earlier lines left out)", self.dropped));
        note.into_iter().chain(self.lines).collect()
    }
}

/// A reader of a child's standard error.
pub(super) struct Collector<S> {
    sink: Arc<Mutex<S>>,
    task: JoinHandle<()>,
}

impl<S: LineSink + Default> Collector<S> {
    pub fn start(mut stderr: ChildStderr) -> Self {
        let sink = Arc::new(Mutex::new(S::default()));
        let shared = Arc::clone(&sink);
        let task = tokio::spawn(async move {
            let mut pending = Vec::new();
            let mut buffer = vec![0; 8 * 1024];
            loop {
                let read = stderr.read(&mut buffer).await.unwrap_or(0);
                for piece in buffer[..read].split_inclusive(|byte| *byte == b'\n') {
                    let room = LINE_BYTES.saturating_sub(pending.len());
                    pending.extend_from_slice(&piece[..piece.len().min(room)]);
                    if piece.ends_with(b"\n") {
                        hand_over(&shared, &mut pending);
                    }
                }
                if read == 0 {
                    if !pending.is_empty() {
                        hand_over(&shared, &mut pending);
                    }
                    return;
                }
            }
        });
        Self { sink, task }
    }

    /// What was said, once the child has ended. A grandchild that still holds the pipe is not waited for.
    pub async fn finish(&mut self) -> S {
        // Once finished it must not be awaited again.
        if !self.task.is_finished() {
            let _ = tokio::time::timeout(std::time::Duration::from_secs(2), &mut self.task).await;
            self.task.abort();
        }
        std::mem::take(&mut *self.sink.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn hand_over<S: LineSink>(sink: &Mutex<S>, pending: &mut Vec<u8>) {
    let line = String::from_utf8_lossy(pending);
    sink.lock().unwrap_or_else(PoisonError::into_inner).line(line.trim_end());
    pending.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_the_rest_counted() {
        let mut tail = Tail::default();
        for number in 0..10_000 {
            tail.line(&format!("line {number:>20}"));
        }
        assert!(tail.dropped > 5_000 && tail.lines.iter().map(|line| line.len() + 1).sum::<usize>() <= KEPT_BYTES);
        let lines = tail.into_lines();
        assert!(lines[0].contains("left out") && lines.last().is_some_and(|line| line.ends_with("9999")));
    }
}
