//! What every store must do alike.

use bytes::Bytes;
use caretaker::store::{self, StoreErrorKind};
use rstest::rstest;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use super::places::{self, MIB, PART, Place, key, noise};

async fn place(kind: &str) -> Place {
    match kind {
        "directory" => places::directory().await,
        _ => places::bucket().await,
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_any_size_comes_back_as_it_went(#[values("directory", "bucket")] kind: &str) {
    let place = place(kind).await;
    for size in [0, 1, 300_007, PART - 1, PART, PART + 1, 2 * PART, 7 * PART + 17] {
        let (bytes, object) = (noise(size), key(&format!("app/one/{size}")));
        let stored = place.upload(&object, &bytes).await.unwrap();
        assert_eq!(stored.segments, [size as u64], "{size}");
        assert_eq!(place.store.head(&object).await.unwrap().unwrap().bytes, size as u64);
        assert!(place.whole(&object, size).await.unwrap() == bytes, "{size} bytes differ");
        let offset = size / 3;
        let mut tail = Vec::new();
        place.store.read(&object, offset as u64).await.unwrap().read_to_end(&mut tail).await.unwrap();
        assert!(tail == bytes[offset..], "{size} bytes differ from {offset} on");
    }
    assert_eq!(place.store.list("app/one").await.unwrap().len(), 8);
    assert_eq!(place.store.list("app/on").await.unwrap(), [], "a folder's name is not a mere prefix");
    for object in place.store.list("").await.unwrap() {
        place.store.delete(&object.key).await.unwrap();
    }
    place.assert_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_beyond_the_part_limit_goes_on_in_segments_that_cat_joins() {
    let endpoint = places::variable("CARETAKER_TEST_S3_ENDPOINT");
    let place = places::bucket_at(&endpoint, |settings| settings.max_parts = 3).await;
    let (part, object) = (PART as u64, key("app/one/data.dump.zst"));
    for (size, segments) in [
        (3 * PART, vec![3 * part]),
        (3 * PART + 1, vec![3 * part, 1]),
        (6 * PART, vec![3 * part, 3 * part]),
        (7 * PART + 5, vec![3 * part, 3 * part, part + 5]),
    ] {
        let bytes = noise(size);
        assert_eq!(place.upload(&object, &bytes).await.unwrap().segments, segments);
        assert!(place.whole(&object, size).await.unwrap() == bytes);
        let mut cat = std::process::Command::new("cat");
        for number in 0..segments.len() as u32 {
            let name = object.segment(number);
            let file = place.folder.path().join(name.as_str().rsplit('/').next().unwrap());
            std::fs::write(&file, place.store.get(&name).await.unwrap().unwrap()).unwrap();
            cat.arg(file);
        }
        assert!(cat.output().unwrap().stdout == bytes);
        for object in place.store.list("").await.unwrap() {
            place.store.delete(&object.key).await.unwrap();
        }
    }
    place.assert_empty().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_shorter_or_longer_than_its_manifest_says_is_found_out(
    #[values("directory", "bucket")] kind: &str,
) {
    let place = place(kind).await;
    let object = key("app/one/data");
    place.store.put(&object, noise(1000)).await.unwrap();
    for expected in [999, 1001] {
        let error = place.whole(&object, expected).await.unwrap_err();
        assert!(matches!(error.kind, StoreErrorKind::Mismatch(_)), "{error}");
    }
    place.store.put(&object.segment(1), Bytes::from_static(b"more")).await.unwrap();
    assert!(matches!(place.whole(&object, 1000).await.unwrap_err().kind, StoreErrorKind::Mismatch(_)));
    assert_eq!(place.whole(&object, 1004).await.unwrap().len(), 1004);
    let missing = place.whole(&key("app/one/other"), 1).await.unwrap_err();
    assert_eq!(missing.kind, StoreErrorKind::NoObject);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_create_a_key_one_wins(#[values("directory", "bucket")] kind: &str) {
    let place = place(kind).await;
    let object = key("app/one/events/pinned");
    let contenders = (0..8).map(|n| {
        let (store, object) = (place.store.clone(), object.clone());
        async move { store.put_new(&object, Bytes::from(format!("number {n}"))).await.unwrap().then_some(n) }
    });
    let winners: Vec<i32> = futures::future::join_all(contenders).await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(place.store.get(&object).await.unwrap().unwrap(), format!("number {}", winners[0]));
    place.store.put(&object, Bytes::from_static(b"replaced")).await.unwrap();
    assert!(!place.store.put_new(&object, Bytes::from_static(b"late")).await.unwrap());
    assert_eq!(place.store.get(&object).await.unwrap().unwrap(), "replaced");
    place.store.delete(&object).await.unwrap();
    place.store.delete(&object).await.unwrap();
    assert_eq!(place.store.get(&object).await.unwrap(), None);
    place.assert_empty().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_aborted_or_dropped_leaves_nothing(
    #[values("directory", "bucket")] kind: &str,
    #[values(10, PART + 10, 6 * PART)] size: usize,
    #[values(true, false)] politely: bool,
) {
    let place = place(kind).await;
    let mut upload = place.store.begin(&key("app/one/data")).await.unwrap();
    upload.write(noise(size)).await.unwrap();
    if politely {
        upload.abort().await;
    } else {
        drop(upload);
    }
    place.assert_empty().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_with_a_cancelled_write_cannot_be_finished(#[values("directory", "bucket")] kind: &str) {
    let place = place(kind).await;
    let mut upload = place.store.begin(&key("app/one/data")).await.unwrap();
    let bytes = noise(3 * PART);
    let endless = async {
        loop {
            upload.write(bytes.clone()).await.unwrap();
        }
    };
    // Polled until it first has to wait, and then dropped.
    assert!(futures::poll!(Box::pin(endless)).is_pending());
    assert!(upload.write(noise(10)).await.is_err());
    assert!(upload.finish().await.is_err());
    place.assert_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_copied_between_stores_with_other_limits() {
    let (near, endpoint) = (places::directory().await, places::variable("CARETAKER_TEST_S3_ENDPOINT"));
    let far = places::bucket_at(&endpoint, |settings| settings.max_parts = 2).await;
    let (bytes, object) = (noise(5 * PART + MIB), key("app/one/data"));
    let sha256 = hex::encode(Sha256::digest(&bytes));
    near.upload(&object, &bytes).await.unwrap();

    let size = bytes.len() as u64;
    let there = store::copy(&near.store, far.store.as_ref(), &object, size, Some(&sha256), &|_| ()).await.unwrap();
    assert_eq!(there.segments.len(), 3);
    near.store.delete(&object).await.unwrap();
    let back = store::copy(&far.store, near.store.as_ref(), &object, size, Some(&sha256), &|_| ()).await.unwrap();
    assert_eq!(back.segments, [size]);
    assert!(near.whole(&object, bytes.len()).await.unwrap() == bytes);

    near.store.delete(&object).await.unwrap();
    let wrong = "0".repeat(64);
    let error = store::copy(&far.store, near.store.as_ref(), &object, size, Some(&wrong), &|_| ()).await.unwrap_err();
    assert!(matches!(error.kind, StoreErrorKind::Mismatch(_)), "{error}");
    assert_eq!(error.store.as_str(), "offsite", "the one that holds the wrong bytes is blamed");
    near.assert_empty().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_probe_finds_a_good_store_good_and_leaves_nothing(#[values("directory", "bucket")] kind: &str) {
    let place = place(kind).await;
    place.store.probe().await.unwrap();
    place.assert_empty().await;
}
