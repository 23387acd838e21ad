//! Stores to test with, and bytes to put into them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use caretaker::config;
use caretaker::store::{self, ObjectKey, Store, StoreError, Stored};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::sync::OnceCell;

pub const MIB: usize = 1024 * 1024;
/// The smallest part of S3.
pub const PART: usize = 5 * MIB;
const BUCKET: &str = "store-tests";

/// A store, and the folder that it or its credentials live in.
pub struct Place {
    pub store: Arc<dyn Store>,
    pub folder: TempDir,
    pub configured: config::Store,
}

pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run through `make test`"))
}

pub fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

/// Bytes that do not compress and differ everywhere.
pub fn noise(size: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ size as u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

pub async fn directory() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let kind = config::StoreKind::Local(config::LocalStore { path: folder.path().join("store") });
    open(config::Store { name: "local".parse().unwrap(), kind }, folder).await
}

/// A bucket behind an endpoint (the test server itself, or a proxy before it), below a prefix of its own.
pub async fn bucket_at(endpoint: &str, change: impl FnOnce(&mut config::S3Store)) -> Place {
    static MADE: OnceCell<()> = OnceCell::const_new();
    MADE.get_or_init(make_bucket).await;
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("credentials");
    let (id, secret) = (variable("CARETAKER_TEST_S3_KEY"), variable("CARETAKER_TEST_S3_SECRET"));
    std::fs::write(&credentials, format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"))
        .unwrap();
    let mut settings = config::S3Store {
        bucket: BUCKET.to_owned(),
        prefix: format!("{}/", uuid::Uuid::now_v7()),
        region: Some("us-east-1".to_owned()),
        endpoint: Some(endpoint.to_owned()),
        path_style: true,
        profile: config::S3Profile::Generic,
        credentials_file: Some(credentials),
        credentials_profile: None,
        part_size: PART as u64,
        max_parts: 10_000,
        concurrency: 4,
        server_side_encryption: None,
        kms_key_id: None,
        storage_class: None,
        request_timeout: Duration::from_secs(20),
    };
    change(&mut settings);
    let kind = config::StoreKind::S3(Box::new(settings));
    open(config::Store { name: "offsite".parse().unwrap(), kind }, folder).await
}

pub async fn bucket() -> Place {
    bucket_at(&variable("CARETAKER_TEST_S3_ENDPOINT"), |_| {}).await
}

async fn open(configured: config::Store, folder: TempDir) -> Place {
    Place { store: store::open(&configured).await.unwrap(), folder, configured }
}

/// The SDK itself, for what the store cannot or should not do.
pub async fn sdk() -> aws_sdk_s3::Client {
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, RequestChecksumCalculation};
    let (id, secret) = (variable("CARETAKER_TEST_S3_KEY"), variable("CARETAKER_TEST_S3_SECRET"));
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(variable("CARETAKER_TEST_S3_ENDPOINT"))
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}

async fn make_bucket() {
    let client = sdk().await;
    if client.head_bucket().bucket(BUCKET).send().await.is_err() {
        // Another test process may make it at the same time.
        let _ = client.create_bucket().bucket(BUCKET).send().await;
        client.head_bucket().bucket(BUCKET).send().await.unwrap();
    }
}

impl Place {
    pub fn s3(&self) -> &config::S3Store {
        match &self.configured.kind {
            config::StoreKind::S3(settings) => settings,
            config::StoreKind::Local(_) => panic!("not a bucket"),
        }
    }

    /// Uploads in chunks of a size that no part's is a multiple of.
    pub async fn upload(&self, key: &ObjectKey, bytes: &Bytes) -> Result<Stored, StoreError> {
        let mut upload = self.store.begin(key).await?;
        for start in (0..bytes.len()).step_by(300_007) {
            upload.write(bytes.slice(start..bytes.len().min(start + 300_007))).await?;
        }
        upload.finish().await
    }

    pub async fn whole(&self, key: &ObjectKey, size: usize) -> Result<Bytes, StoreError> {
        let mut reader = store::read_whole(&self.store, key, size as u64).await?;
        let mut bytes = Vec::new();
        reader
            .read_to_end(&mut bytes)
            .await
            .map_err(|error| StoreError::from_read(self.store.name(), key.as_str(), error))?;
        Ok(bytes.into())
    }

    pub async fn keys(&self) -> Vec<String> {
        self.store.list("").await.unwrap().into_iter().map(|object| object.key.to_string()).collect()
    }

    /// Unfinished multipart uploads in the bucket below the prefix, asked of the server directly.
    pub async fn unfinished(&self) -> usize {
        let settings = self.s3();
        let answer = sdk().await.list_multipart_uploads().bucket(&settings.bucket).prefix(&settings.prefix);
        answer.send().await.unwrap().uploads().len()
    }

    /// Nothing is left: no object, no upload, no file.
    pub async fn assert_empty(&self) {
        self.store.close().await;
        assert_eq!(self.keys().await, Vec::<String>::new());
        match &self.configured.kind {
            config::StoreKind::S3(_) => assert_eq!(self.unfinished().await, 0, "a multipart upload is left"),
            config::StoreKind::Local(local) => {
                let left = std::fs::read_dir(&local.path).map(|entries| entries.count()).unwrap_or(0);
                assert_eq!(left, 0, "something is left in {}", local.path.display());
            }
        }
    }
}
