//! `[stores.*]`

use std::path::PathBuf;
use std::time::Duration;

use super::StoreName;

/// A place for backups.
#[derive(Debug, Clone)]
pub struct Store {
    /// Its name in the configuration.
    pub name: StoreName,
    /// What it is and where.
    pub kind: StoreKind,
}

/// The kinds of store.
#[derive(Debug, Clone)]
pub enum StoreKind {
    /// `kind = "local"`
    Local(LocalStore),
    /// `kind = "s3"`
    S3(Box<S3Store>),
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalStore {
    /// The directory; made, with mode 0700, if its parent exists.
    pub path: PathBuf,
}

/// A bucket of Amazon S3 or a compatible service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Store {
    /// The bucket; it must exist.
    pub bucket: String,
    /// Put before every key; empty or ending in `/`.
    pub prefix: String,
    /// Default: the AWS chain's, else `us-east-1`.
    pub region: Option<String>,
    /// Default: Amazon's.
    pub endpoint: Option<String>,
    /// `https://host/bucket/key` rather than `https://bucket.host/key`; default true when an endpoint is given.
    pub path_style: bool,
    /// Which service's rules hold.
    pub profile: S3Profile,
    /// A file in AWS shared-credentials format; default: the AWS chain.
    pub credentials_file: Option<PathBuf>,
    /// The profile in the credentials file; default `default`.
    pub credentials_profile: Option<String>,
    /// Bytes of one part of a multipart upload; default 8 MiB, at least 5 MiB (the S3 minimum).
    pub part_size: u64,
    /// The most parts of one object; default: the profile's. The object goes on in the next segment beyond it.
    pub max_parts: u32,
    /// Parts on their way at once; default 4.
    pub concurrency: usize,
    /// `server_side_encryption`: `AES256`, `aws:kms`, …; default: the bucket's.
    pub server_side_encryption: Option<String>,
    /// The key for `aws:kms`.
    pub kms_key_id: Option<String>,
    /// `storage_class`: `STANDARD_IA`, `GLACIER_IR`, …; default: the bucket's.
    pub storage_class: Option<String>,
    /// How long one request may take before it is tried again; default 60 s.
    pub request_timeout: Duration,
}

/// The rules of a service: how checksums travel and how many parts an object may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum S3Profile {
    /// Amazon S3: CRC checksums computed and validated, 10,000 parts.
    Aws,
    /// Any compatible service: `Content-MD5` only where required, 10,000 parts.
    Generic,
    /// Cloudflare R2: as generic; equal parts (which Caretaker always sends).
    R2,
    /// Scaleway: as generic, 1,000 parts.
    Scaleway,
}

impl S3Profile {
    /// The most parts the service takes in one upload.
    pub fn max_parts(self) -> u32 {
        match self {
            Self::Aws | Self::Generic | Self::R2 => 10_000,
            Self::Scaleway => 1_000,
        }
    }
}
