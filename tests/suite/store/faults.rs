//! A service, or the way to it, that misbehaves.

use std::time::Duration;

use caretaker::store::StoreErrorKind;
use rstest::rstest;

use super::places::{self, PART, Place, key, noise};
use super::proxy::{self, Fate, Proxy, Request};

async fn behind(proxy: &Proxy) -> Place {
    places::bucket_at(&proxy.endpoint, |settings| settings.request_timeout = Duration::from_secs(3)).await
}

/// Uploads seven and a half parts through the proxy and expects them to be whole on the server.
async fn succeeds(proxy: &Proxy) {
    let place = behind(proxy).await;
    let bytes = noise(7 * PART + PART / 2);
    place.upload(&key("app/one/data"), &bytes).await.unwrap();
    assert!(place.whole(&key("app/one/data"), bytes.len()).await.unwrap() == bytes);
    assert_eq!(place.unfinished().await, 0);
}

fn is_complete(request: &Request) -> bool {
    request.line.starts_with("POST ") && request.line.contains("uploadId=")
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_whose_connections_are_cut_are_sent_again() {
    let cut = |request: &Request| {
        if request.nth.is_multiple_of(3) { Fate::CutRequest(PART as u64 / 2) } else { Fate::Pass }
    };
    succeeds(&proxy::start(Request::is_part, cut).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_service_now_and_then_are_ridden_out() {
    let refuse = |request: &Request| match request.nth % 6 {
        0 => Fate::Answer(500),
        3 => Fate::Answer(503),
        _ => Fate::Pass,
    };
    succeeds(&proxy::start(|_| true, refuse).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_never_answered_is_sent_again() {
    let hang = |request: &Request| if request.nth == 1 { Fate::Silence } else { Fate::Pass };
    succeeds(&proxy::start(Request::is_part, hang).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_whose_answer_is_lost_is_a_completion() {
    let lose = |request: &Request| if request.nth == 0 { Fate::DoneButAnswer(503) } else { Fate::Pass };
    succeeds(&proxy::start(is_complete, lose).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_whose_answer_is_lost_is_still_ours() {
    let lose = |request: &Request| if request.nth == 0 { Fate::DoneButAnswer(503) } else { Fate::Pass };
    let proxy = proxy::start(|request| request.line.starts_with("PUT "), lose).await;
    let place = behind(&proxy).await;
    assert!(place.store.put_new(&key("app/one/pinned"), noise(50)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_never_arrive_fail_the_upload_and_leave_nothing() {
    let proxy = proxy::start(Request::is_part, |request| {
        // Enough for the first segment; the second one fails.
        if request.nth < 4 { Fate::Pass } else { Fate::CutRequest(1000) }
    })
    .await;
    let place = places::bucket_at(&proxy.endpoint, |settings| {
        (settings.request_timeout, settings.max_parts) = (Duration::from_secs(2), 3);
    })
    .await;
    let error = place.upload(&key("app/one/data"), &noise(12 * PART)).await.unwrap_err();
    assert!(matches!(error.kind, StoreErrorKind::Unavailable(_)), "{error}");
    place.assert_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_lies_about_the_size_is_found_out_and_the_object_deleted() {
    for size in [1000, 2 * PART + 3] {
        let looks = |request: &Request| request.line.starts_with("HEAD ") && request.line.contains("data");
        let proxy = proxy::start(looks, |_| Fate::ClaimLength(999)).await;
        let place = behind(&proxy).await;
        let error = place.upload(&key("app/one/data"), &noise(size)).await.unwrap_err();
        assert!(matches!(&error.kind, StoreErrorKind::Mismatch(text) if text.contains("999")), "{error}");
        place.assert_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_vanishes_after_it_was_taken_is_found_out() {
    let looks = |request: &Request| request.line.starts_with("HEAD ") && request.line.contains("data");
    let proxy = proxy::start(looks, |_| Fate::Answer(404)).await;
    let place = behind(&proxy).await;
    let error = place.upload(&key("app/one/data"), &noise(1000)).await.unwrap_err();
    assert!(matches!(error.kind, StoreErrorKind::Mismatch(_)), "{error}");
    place.assert_empty().await;
}

#[rstest]
#[case("PUT ", "probe-", "s3:PutObject")]
#[case("GET ", "x-id=GetObject", "s3:GetObject")]
#[case("DELETE ", "x-id=DeleteObject", "s3:DeleteObject")]
#[case("POST ", "?uploads", "s3:PutObject")]
#[case("DELETE ", "uploadId=", "s3:AbortMultipartUpload")]
#[case("GET ", "list-type=2", "s3:ListBucket")]
#[case("GET ", "?uploads", "s3:ListBucketMultipartUploads")]
#[tokio::test(flavor = "multi_thread")]
async fn a_probe_names_the_permission_that_is_missing(
    #[case] method: &'static str,
    #[case] query: &'static str,
    #[case] permission: &str,
) {
    let concerns = move |request: &Request| request.line.starts_with(method) && request.line.contains(query);
    let proxy = proxy::start(concerns, |_| Fate::Answer(403)).await;
    let error = behind(&proxy).await.store.probe().await.unwrap_err();
    assert!(matches!(&error.kind, StoreErrorKind::Denied(text) if text.ends_with(permission)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_download_goes_on_where_it_stopped() {
    let cut = |request: &Request| if request.nth < 5 { Fate::CutAnswer(1_500_000) } else { Fate::Pass };
    let proxy = proxy::start(|request| request.line.starts_with("GET ") && request.line.contains("data"), cut).await;
    let place = behind(&proxy).await;
    let bytes = noise(2 * PART + 7);
    place.upload(&key("app/one/data"), &bytes).await.unwrap();
    assert!(place.whole(&key("app/one/data"), bytes.len()).await.unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_cannot_go_on_fails_as_unavailable() {
    let cut = |request: &Request| if request.nth == 0 { Fate::CutAnswer(1_500_000) } else { Fate::Answer(503) };
    let proxy = proxy::start(|request| request.line.starts_with("GET "), cut).await;
    let place =
        places::bucket_at(&proxy.endpoint, |settings| settings.request_timeout = Duration::from_millis(900)).await;
    place.upload(&key("app/one/data"), &noise(PART)).await.unwrap();
    let error = place.whole(&key("app/one/data"), PART).await.unwrap_err();
    assert!(matches!(error.kind, StoreErrorKind::Unavailable(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_never_mixes_two_objects() {
    let cut = |request: &Request| if request.nth == 0 { Fate::CutAnswer(600_000) } else { Fate::Pass };
    let proxy = proxy::start(|request| request.line.starts_with("GET "), cut).await;
    let place = behind(&proxy).await;
    place.upload(&key("app/one/data"), &noise(1_000_000)).await.unwrap();
    let mut reader = place.store.read(&key("app/one/data"), 0).await.unwrap();
    let other = noise(1_000_008).slice(8..);
    place.store.put(&key("app/one/data"), other).await.unwrap();
    let error = tokio::io::copy(&mut reader, &mut tokio::io::sink()).await.unwrap_err();
    let error = caretaker::store::StoreError::from_read(place.store.name(), "data", error);
    assert!(matches!(&error.kind, StoreErrorKind::Mismatch(text) if text.contains("replaced")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_dropped_at_any_moment_leaves_nothing() {
    let place = places::bucket().await;
    let bytes = noise(4 * PART + 5);
    for wait in [0, 1, 3, 10, 20, 30, 40, 50, 60, 80, 100, 150, 200] {
        let object = key("app/one/data");
        if tokio::time::timeout(Duration::from_millis(wait), place.upload(&object, &bytes)).await.is_ok() {
            place.store.delete(&object).await.unwrap();
        }
        place.assert_empty().await;
    }
}
