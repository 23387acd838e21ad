//! Progress bars on a terminal, and the signals that end a command.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::output::{Output, bytes};
use crate::run::Progress;

/// What takes less than this shows no bar.
const AFTER: Duration = Duration::from_secs(1);

/// Without a terminal there is a line as often as this.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// A bar that follows a run's counters; without a terminal, a line now and then.
pub(super) struct Bar {
    task: Option<(JoinHandle<()>, CancellationToken)>,
}

pub(super) fn show(output: &Output, name: &str, watched: watch::Receiver<Option<Arc<Progress>>>) -> Bar {
    if output.is_json() {
        return Bar { task: None };
    }
    let (stop, name) = (CancellationToken::new(), name.to_owned());
    let task = if std::io::stderr().is_terminal() {
        tokio::spawn(follow(name, watched, stop.clone()))
    } else {
        tokio::spawn(tell(name, watched, stop.clone(), output.clone()))
    };
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

async fn tell(name: String, watched: watch::Receiver<Option<Arc<Progress>>>, stop: CancellationToken, output: Output) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LINE_EVERY) => {}
        }
        if let Some(view) = watched.borrow().as_ref().map(|progress| progress.view()) {
            let (read, stored) = (bytes(view.bytes_in), bytes(view.bytes_stored));
            output.remark(format!("{name}: {}, {read} read, {stored} stored", view.phase));
        }
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
