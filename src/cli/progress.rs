//! Progress bars on a terminal, and the signals that end a command.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::output::Output;
use crate::run::Progress;

/// What takes less than this shows no bar.
const AFTER: Duration = Duration::from_secs(1);

/// A bar that follows a run's counters; nothing without a terminal.
pub(super) struct Bar {
    task: Option<(JoinHandle<()>, CancellationToken)>,
}

pub(super) fn show(output: &Output, name: &str, watched: watch::Receiver<Option<Arc<Progress>>>) -> Bar {
    if output.is_json() || !std::io::stderr().is_terminal() {
        return Bar { task: None };
    }
    let stop = CancellationToken::new();
    let task = tokio::spawn(follow(name.to_owned(), watched, stop.clone()));
    Bar { task: Some((task, stop)) }
}

impl Bar {
    pub(super) async fn finish(self) {
        if let Some((task, stop)) = self.task {
            stop.cancel();
            let _ = task.await;
        }
    }
}

async fn follow(name: String, watched: watch::Receiver<Option<Arc<Progress>>>, stop: CancellationToken) {
    let mut bar: Option<ProgressBar> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(if bar.is_none() { AFTER } else { Duration::from_millis(200) }) => {}
        }
        let Some(view) = watched.borrow().as_ref().map(|progress| progress.view()) else { continue };
        let bar = bar.get_or_insert_with(ProgressBar::no_length);
        let known = view.bytes_expected.filter(|expected| *expected >= view.bytes_in);
        let template = match known {
            Some(expected) => {
                bar.set_length(expected);
                "{prefix} {msg} {wide_bar} {binary_bytes} of about {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left"
            }
            None => "{prefix} {msg} {spinner} {binary_bytes}, {binary_bytes_per_sec}, {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(name.clone());
        bar.set_message(view.phase);
        bar.set_position(view.bytes_in);
        bar.tick();
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

/// Cancels the token at SIGINT, SIGTERM or SIGHUP.
pub(super) fn cancel_on_signal(cancel: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let mut signals: Vec<_> = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
        let any = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures::future::select_all(any).await;
        cancel.cancel();
    })
}
