//! What only buckets do.

use bytes::Bytes;
use caretaker::config::S3Profile;
use caretaker::fault::Fault;
use caretaker::store::{StoreError, StoreErrorKind};
use rstest::rstest;

use super::places::{self, PART, key, noise};

fn endpoint() -> String {
    places::variable("CARETAKER_TEST_S3_ENDPOINT")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_multipart_upload_left_behind_is_swept_and_a_neighbours_is_not() {
    let place = places::bucket().await;
    let (client, settings) = (places::sdk().await, place.s3().clone());
    for name in ["app/one/data", "app/one/globals", "app/two/data"] {
        let request = client.create_multipart_upload().bucket(&settings.bucket);
        let upload = request.key(format!("{}{name}", settings.prefix)).send().await.unwrap();
        let part = client.upload_part().bucket(&settings.bucket).key(format!("{}{name}", settings.prefix));
        let part = part.upload_id(upload.upload_id().unwrap()).part_number(1);
        part.body(Bytes::from_static(b"left behind").into()).send().await.unwrap();
    }
    assert_eq!(place.keys().await, Vec::<String>::new(), "an unfinished upload is not an object");
    assert_eq!(place.store.sweep("app/one").await.unwrap(), 2);
    assert_eq!(place.unfinished().await, 1);
    assert_eq!(place.store.sweep("").await.unwrap(), 1);
    place.assert_empty().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn each_profile_works(
    #[values(S3Profile::Aws, S3Profile::Generic, S3Profile::R2, S3Profile::Scaleway)] profile: S3Profile,
) {
    let place = places::bucket_at(&endpoint(), |settings| settings.profile = profile).await;
    for size in [100, 2 * PART + 9] {
        let bytes = noise(size);
        place.upload(&key("app/one/data"), &bytes).await.unwrap();
        assert!(place.whole(&key("app/one/data"), size).await.unwrap() == bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_encrypted_by_the_server_and_classed_as_configured() {
    let change = |settings: &mut caretaker::config::S3Store| {
        settings.server_side_encryption = Some("AES256".to_owned());
        settings.storage_class = Some("STANDARD_IA".to_owned());
    };
    let place = places::bucket_at(&endpoint(), change).await;
    for (name, size) in [("small", 100), ("large", PART + 9)] {
        let (object, bytes) = (key(&format!("app/one/{name}")), noise(size));
        place.upload(&object, &bytes).await.unwrap();
        assert!(place.whole(&object, size).await.unwrap() == bytes);
        let settings = place.s3();
        let request = places::sdk().await.head_object().bucket(&settings.bucket);
        let head = request.key(format!("{}{object}", settings.prefix)).send().await.unwrap();
        assert_eq!(head.server_side_encryption().map(|e| e.as_str()), Some("AES256"), "{name}");
        assert_eq!(head.storage_class().map(|c| c.as_str()), Some("STANDARD_IA"), "{name}");
    }
}

/// The errors of everything one can ask of a store.
async fn errors(place: &places::Place) -> Vec<StoreError> {
    let (store, object) = (&place.store, key("app/one/data"));
    vec![
        store.put(&object, noise(10)).await.unwrap_err(),
        store.put_new(&object, noise(10)).await.unwrap_err(),
        store.list("app").await.unwrap_err(),
        store.get(&object).await.unwrap_err(),
        store.sweep("app").await.unwrap_err(),
        store.probe().await.unwrap_err(),
        place.upload(&object, &noise(PART + 1)).await.unwrap_err(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_denied_and_never_shown() {
    let place = places::bucket().await;
    for (id, secret) in [("caretaker", "not-the-secret-0123456789"), ("nobody-0123456789", "whatever-0123456789")] {
        let text = format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        std::fs::write(place.folder.path().join("credentials"), text).unwrap();
        let place = places::Place {
            store: caretaker::store::open(&place.configured).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
            configured: place.configured.clone(),
        };
        for error in errors(&place).await {
            assert!(matches!(error.kind, StoreErrorKind::Denied(_)), "{error}");
            assert!(!error.retryable());
            let all = format!("{error} {error:?}");
            assert!(!all.contains(secret) && !all.contains("Signature="), "{all}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_keys_are_denied_rather_than_waited_for() {
    let place = places::bucket_at(&endpoint(), |settings| {
        std::fs::write(settings.credentials_file.as_ref().unwrap(), "[other]\naws_access_key_id = a\n").unwrap();
    })
    .await;
    let error = place.store.put(&key("app/one/data"), noise(10)).await.unwrap_err();
    assert!(matches!(&error.kind, StoreErrorKind::Denied(text) if text.contains("no usable credentials")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_is_said_to_be_missing() {
    let place = places::bucket_at(&endpoint(), |settings| settings.bucket = "no-such-bucket".to_owned()).await;
    let object = key("app/one/data");
    let errors = [
        place.store.put(&object, noise(10)).await.unwrap_err(),
        place.store.list("").await.unwrap_err(),
        place.store.get(&object).await.unwrap_err(),
        place.upload(&object, &noise(PART + 1)).await.unwrap_err(),
        place.store.probe().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind, StoreErrorKind::Missing, "{error}");
        assert_eq!(error.object, "s3://no-such-bucket");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_endpoint_is_unavailable_soon() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = places::bucket_at(&format!("http://127.0.0.1:{port}"), |settings| {
        settings.request_timeout = std::time::Duration::from_secs(1);
    })
    .await;
    for error in errors(&place).await {
        assert!(matches!(error.kind, StoreErrorKind::Unavailable(_)), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
        assert!(error.retryable());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_gigabytes_go_through_small_parts_in_little_memory() {
    const CHUNKS: usize = 3 * 1024 + 64;
    const ALONE: &str = "CARETAKER_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        // Memory can be told only in a process of its own.
        let mut alone = tokio::process::Command::new(std::env::current_exe().unwrap());
        alone.args(["--exact", std::thread::current().name().unwrap()]).env(ALONE, "1");
        let done = alone.output().await.unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let place = places::bucket().await;
    let (chunk, object) = (noise(places::MIB), key("app/one/data"));
    let before = peak();
    let mut upload = place.store.begin(&object).await.unwrap();
    for _ in 0..CHUNKS {
        upload.write(chunk.clone()).await.unwrap();
    }
    let stored = upload.finish().await.unwrap();
    assert_eq!(stored.segments, [(CHUNKS * places::MIB) as u64]);
    // Five parts of 5 MiB, and what the client itself needs.
    let grown = peak() - before;
    assert!(grown < 64, "resident memory grew by {grown} MiB");
    place.store.delete(&object).await.unwrap();
    place.assert_empty().await;
}

/// The most MiB that this process has had in memory.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}
