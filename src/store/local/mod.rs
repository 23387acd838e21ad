//! A store that is a directory.

mod fault;
mod file;
mod tree;
mod upload;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::task::TaskTracker;

pub(super) use self::fault::io_error;
use self::fault::local_error;
use self::file::Partial;
use self::upload::LocalUpload;
use super::{ObjectInfo, ObjectKey, ObjectReader, Store, StoreError, StoreErrorKind, Upload};
use crate::config::{self, StoreName};

/// Bytes read from disk at once.
const READ_BUFFER: usize = 1024 * 1024;
/// How long removing the files of dropped uploads may take, which matters on a network file system only.
const CLEAN_UP: Duration = Duration::from_secs(30);

/// A directory as a store. Objects are files of mode 0600 in folders of mode 0700; an object appears by a rename once
/// its bytes are on the disk.
#[derive(Debug, Clone)]
pub struct LocalStore {
    name: StoreName,
    root: PathBuf,
    /// Those of uploads, which outlive an upload that is dropped until its file is removed.
    threads: TaskTracker,
}

impl LocalStore {
    /// The store; the directory is not looked at yet.
    pub fn new(name: StoreName, configured: &config::LocalStore) -> Self {
        Self { name, root: configured.path.clone(), threads: TaskTracker::new() }
    }

    /// Does blocking work on a thread for it.
    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        object: &str,
        work: impl FnOnce(PathBuf) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let root = self.root.clone();
        let done = tokio::task::spawn_blocking(move || work(root)).await;
        done.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(|error| self.error(operation, object, error))
    }

    fn error(&self, operation: &'static str, object: &str, error: io::Error) -> StoreError {
        local_error(&self.name, &self.root, operation, &self.root.join(object), error)
    }
}

/// Opens an object for reading; `None`: it is not there although the store is.
fn open(root: &Path, key: &str) -> io::Result<Option<File>> {
    match File::open(tree::path_of(root, key)?) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) => Ok(None),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            tree::root_exists(root).map(|_| None)
        }
        Err(error) => Err(error),
    }
}

/// A small object, durable under its temporary name.
fn written(root: &Path, key: &ObjectKey, bytes: &[u8]) -> io::Result<Partial> {
    let mut partial = Partial::create(root, tree::path_of(root, key.as_str())?)?;
    partial.write(bytes)?;
    let found = partial.settle()?;
    let sent = partial.written();
    if found == sent {
        Ok(partial)
    } else {
        Err(io::Error::other(format!("{sent} bytes written, the file has {found}")))
    }
}

#[async_trait]
impl Store for LocalStore {
    fn name(&self) -> &StoreName {
        &self.name
    }

    async fn begin(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        let target =
            tree::path_of(&self.root, key.as_str()).map_err(|error| self.error("write", key.as_str(), error))?;
        Ok(Box::new(LocalUpload::begin(&self.threads, self.name.clone(), self.root.clone(), target).await?))
    }

    async fn put(&self, key: &ObjectKey, bytes: Bytes) -> Result<(), StoreError> {
        let path = key.clone();
        self.blocking("write", key.as_str(), move |root| written(&root, &path, &bytes)?.publish()).await
    }

    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<bool, StoreError> {
        let path = key.clone();
        self.blocking("write", key.as_str(), move |root| written(&root, &path, &bytes)?.publish_new()).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Bytes>, StoreError> {
        let path = key.clone();
        self.blocking("read", key.as_str(), move |root| {
            let Some(mut file) = open(&root, path.as_str())? else { return Ok(None) };
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(Some(Bytes::from(bytes)))
        })
        .await
    }

    async fn read(&self, key: &ObjectKey, offset: u64) -> Result<ObjectReader, StoreError> {
        let path = key.clone();
        let file = self
            .blocking("read", key.as_str(), move |root| {
                let Some(mut file) = open(&root, path.as_str())? else { return Ok(None) };
                file.seek(SeekFrom::Start(offset))?;
                Ok(Some(file))
            })
            .await?;
        let Some(file) = file else {
            return Err(StoreError {
                store: self.name.clone(),
                operation: "read",
                object: self.root.join(key.as_str()).display().to_string(),
                kind: StoreErrorKind::NoObject,
                source: None,
            });
        };
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(READ_BUFFER);
        Ok(Box::pin(file))
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectInfo>, StoreError> {
        let wanted = key.clone();
        self.blocking("look at", key.as_str(), move |root| {
            let Some(file) = open(&root, wanted.as_str())? else { return Ok(None) };
            Ok(Some(ObjectInfo { bytes: file.metadata()?.len(), key: wanted }))
        })
        .await
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        let wanted = folder.to_owned();
        self.blocking("list", folder, move |root| tree::list(&root, &tree::folder_of(&root, &wanted)?)).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let wanted = key.clone();
        self.blocking("delete", key.as_str(), move |root| {
            let path = tree::path_of(&root, wanted.as_str())?;
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    return tree::root_exists(&root).map(drop);
                }
                Err(error) => return Err(error),
            }
            if let Some(folder) = path.parent() {
                match tree::sync_folder(folder) {
                    // Another delete has just removed the folder.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    other => other?,
                }
                tree::remove_empty(&root, folder);
            }
            Ok(())
        })
        .await
    }

    async fn sweep(&self, folder: &str) -> Result<usize, StoreError> {
        let wanted = folder.to_owned();
        self.blocking("sweep", folder, move |root| tree::sweep(&root, &tree::folder_of(&root, &wanted)?)).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        super::probe::write_and_read_back(self).await
    }

    async fn close(&self) {
        self.threads.close();
        // Whatever is left after that, the next sweep finds.
        let _ = tokio::time::timeout(CLEAN_UP, self.threads.wait()).await;
        self.threads.reopen();
    }
}
