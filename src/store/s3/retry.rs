//! Requests that carry data are sent again one by one, with growing pauses, on top of which the run has its own
//! retries. An outage shorter than a request's time-out costs no backup.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use super::super::StoreError;
use super::fault::passing;

/// Repeats a request until it succeeds, fails for good, or has paused for `patience` in all.
pub async fn patiently<T, F>(patience: Duration, request: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let pauses = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(15))
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .with_total_delay(Some(patience));
    request
        .retry(pauses)
        .when(|error: &StoreError| passing(&error.kind))
        .notify(|error, pause| {
            tracing::debug!(error = %error, pause_ms = pause.as_millis() as u64, "request is sent again");
        })
        .await
}
