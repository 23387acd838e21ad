//! The S3 server that all tests share, looked at through the AWS SDK rather than through Caretaker.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};

use super::{required, unique};

/// The server that `tests/with-servers` started.
#[derive(Debug, Clone)]
pub struct S3 {
    /// `http://127.0.0.1:PORT`
    pub endpoint: String,
    /// The access key.
    pub key: String,
    /// The secret key.
    pub secret: String,
}

/// A bucket of a test's own. The server forgets it when it ends.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Its server.
    pub s3: S3,
    /// Its name.
    pub name: String,
}

impl S3 {
    /// The server that `tests/with-servers` started.
    pub fn shared() -> Self {
        Self {
            endpoint: required("CARETAKER_TEST_S3_ENDPOINT"),
            key: required("CARETAKER_TEST_S3_KEY"),
            secret: required("CARETAKER_TEST_S3_SECRET"),
        }
    }

    /// A fresh, empty bucket.
    pub fn bucket(&self) -> Bucket {
        let bucket = Bucket { s3: self.clone(), name: unique("test") };
        let name = bucket.name.clone();
        self.call(async move |client| client.create_bucket().bucket(name).send().await.map(drop));
        bucket
    }

    /// Writes a credentials file for this server, in AWS form, and gives its path.
    pub fn credentials_file(&self, folder: &Path) -> PathBuf {
        write_credentials(&folder.join("s3-credentials"), &self.key, &self.secret)
    }

    /// A client, for what the helpers here do not do.
    pub fn client(&self) -> Client {
        Client::from_conf(
            aws_sdk_s3::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .endpoint_url(&self.endpoint)
                .region(Region::new("us-east-1"))
                .credentials_provider(Credentials::new(&self.key, &self.secret, None, None, "test"))
                .force_path_style(true)
                .build(),
        )
    }

    /// Calls the server, from a test that is asynchronous or not.
    fn call<T, E>(&self, request: impl AsyncFnOnce(Client) -> Result<T, E> + Send) -> T
    where
        T: Send,
        E: std::error::Error,
    {
        let client = self.client();
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let answer = tokio::time::timeout(Duration::from_secs(60), request(client)).await;
                    answer.expect("the S3 server answers within a minute").unwrap_or_else(|error| {
                        panic!("the S3 server: {}", aws_sdk_s3::error::DisplayErrorContext(error))
                    })
                })
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// Writes a credentials file in AWS form, readable by its owner alone.
pub fn write_credentials(path: &Path, key: &str, secret: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_owned()
}

impl Bucket {
    /// The lines of a `[stores.NAME]` table for this bucket.
    pub fn store(&self, name: &str, credentials_file: &Path) -> String {
        format!(
            "[stores.{name}]\nkind = 's3'\nbucket = '{}'\nendpoint = '{}'\nregion = 'us-east-1'\npath_style = true\n\
             profile = 'generic'\ncredentials_file = '{}'\n",
            self.name,
            self.s3.endpoint,
            credentials_file.display()
        )
    }

    /// All keys with their sizes, in order.
    pub fn list(&self) -> Vec<(String, u64)> {
        let bucket = self.name.clone();
        self.s3.call(async move |client| {
            let mut pages = client.list_objects_v2().bucket(bucket).into_paginator().send();
            let mut found = Vec::new();
            while let Some(page) = pages.next().await {
                for object in page?.contents() {
                    let size = u64::try_from(object.size().unwrap_or_default()).unwrap();
                    found.push((object.key().unwrap_or_default().to_owned(), size));
                }
            }
            Ok::<_, aws_sdk_s3::error::SdkError<_>>(found)
        })
    }

    /// All keys, in order.
    pub fn keys(&self) -> Vec<String> {
        self.list().into_iter().map(|(key, _)| key).collect()
    }

    /// An object's bytes.
    pub fn get(&self, key: &str) -> Vec<u8> {
        let (bucket, key) = (self.name.clone(), key.to_owned());
        self.s3.call(async move |client| {
            let object = client.get_object().bucket(bucket).key(key).send().await?;
            let bytes = object.body.collect().await.expect("the body arrives whole");
            Ok::<_, aws_sdk_s3::error::SdkError<_>>(bytes.to_vec())
        })
    }

    /// Puts an object.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        let (bucket, key, body) = (self.name.clone(), key.to_owned(), bytes.to_vec());
        self.s3.call(async move |client| {
            client.put_object().bucket(bucket).key(key).body(body.into()).send().await.map(drop)
        });
    }

    /// Deletes an object.
    pub fn delete(&self, key: &str) {
        let (bucket, key) = (self.name.clone(), key.to_owned());
        self.s3.call(async move |client| client.delete_object().bucket(bucket).key(key).send().await.map(drop));
    }

    /// The keys of multipart uploads that nobody has finished or aborted.
    pub fn unfinished_uploads(&self) -> Vec<String> {
        let bucket = self.name.clone();
        self.s3.call(async move |client| {
            let answer = client.list_multipart_uploads().bucket(bucket).send().await?;
            let keys = answer.uploads().iter().map(|upload| upload.key().unwrap_or_default().to_owned());
            Ok::<_, aws_sdk_s3::error::SdkError<_>>(keys.collect())
        })
    }
}
