//! One file on its way into a directory store: written under a temporary name, made durable, renamed. All of it blocks,
//! and runs on blocking threads only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rustix::fs::{Advice, CWD, RenameFlags, fadvise, renameat_with};
use rustix::io::Errno;

use super::tree::{self, PARTIAL};

/// Written bytes after which the disk is set to work, so that it is busy while more is coming and the last fsync is
/// short.
const WRITE_BACK: u64 = 32 * 1024 * 1024;

/// A file under its temporary name; dropping it removes it.
pub struct Partial {
    root: PathBuf,
    folder: PathBuf,
    temporary: PathBuf,
    target: PathBuf,
    file: File,
    written: u64,
    asked: u64,
    write_back: Option<WriteBack>,
    done: bool,
}

/// Flushes a file beside its writer.
struct WriteBack {
    ask: SyncSender<u64>,
    thread: JoinHandle<io::Result<()>>,
}

impl WriteBack {
    fn new(file: &File) -> io::Result<Self> {
        let file = file.try_clone()?;
        let (ask, asked) = sync_channel::<u64>(1);
        let thread = std::thread::Builder::new().name("store-write-back".to_owned()).spawn(move || {
            while let Ok(upto) = asked.recv() {
                file.sync_data()?;
                // Nobody reads a backup soon, and its pages would push out the database's. Only advice: a file
                // system may refuse it.
                let _ = fadvise(&file, 0, std::num::NonZeroU64::new(upto), Advice::DontNeed);
            }
            Ok(())
        })?;
        Ok(Self { ask, thread })
    }

    fn finish(self) -> io::Result<()> {
        drop(self.ask);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the write-back thread panicked")))
    }
}

impl Partial {
    /// Begins a file for `target`, making the root and the folders between as needed.
    pub fn create(root: &Path, target: PathBuf) -> io::Result<Self> {
        let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "not a key of a store");
        let folder = target.parent().ok_or_else(no_name)?.to_owned();
        let name = target.file_name().and_then(|name| name.to_str()).ok_or_else(no_name)?;
        let mut attempts = 0;
        loop {
            tree::ensure_root(root)?;
            tree::ensure_folder(root, &folder)?;
            let temporary = folder.join(format!(".{name}.{}{PARTIAL}", uuid::Uuid::now_v7().simple()));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary) {
                Ok(file) => {
                    // Tells a sweep that somebody is writing. A file system without locks must do without.
                    let _ = file.try_lock();
                    let root = root.to_owned();
                    let (written, asked, write_back, done) = (0, 0, None, false);
                    return Ok(Self { root, folder, temporary, target, file, written, asked, write_back, done });
                }
                // A delete beside us has just removed the empty folder.
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempts < 10 => attempts += 1,
                Err(error) => {
                    tree::remove_empty(root, &folder);
                    return Err(error);
                }
            }
        }
    }

    /// Appends.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        if self.written - self.asked >= WRITE_BACK {
            if self.write_back.is_none() {
                self.write_back = Some(WriteBack::new(&self.file)?);
            }
            if let Some(write_back) = &self.write_back {
                // Full: it is still busy with what was asked before and will do this as well.
                let _ = write_back.ask.try_send(self.written);
            }
            self.asked = self.written;
        }
        Ok(())
    }

    /// Makes the bytes durable, still under the temporary name, and returns how many the file system says there are.
    pub fn settle(&mut self) -> io::Result<u64> {
        if let Some(write_back) = self.write_back.take() {
            write_back.finish()?;
        }
        self.file.sync_all()?;
        Ok(fs::metadata(&self.temporary)?.len())
    }

    /// Where it will appear.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Bytes written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Makes the file appear, replacing what is there.
    pub fn publish(mut self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.target)?;
        self.done = true;
        self.settle_name()
    }

    /// Makes the file appear unless there is one. `false`: there is.
    pub fn publish_new(mut self) -> io::Result<bool> {
        match renameat_with(CWD, &self.temporary, CWD, &self.target, RenameFlags::NOREPLACE) {
            Ok(()) => self.done = true,
            Err(Errno::EXIST) => return Ok(false),
            // NFS and others do not know the flag; a hard link does not replace either.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match fs::hard_link(&self.temporary, &self.target) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
                other => other?,
            },
            Err(error) => return Err(error.into()),
        }
        self.settle_name()?;
        Ok(true)
    }

    /// Makes the name durable. A name that may be gone after a crash is taken back at once.
    fn settle_name(&self) -> io::Result<()> {
        tree::sync_folder(&self.folder).inspect_err(|_| {
            let _ = fs::remove_file(&self.target);
        })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Some(write_back) = self.write_back.take() {
            let _ = write_back.finish();
        }
        if !self.done {
            let _ = fs::remove_file(&self.temporary);
            tree::remove_empty(&self.root, &self.folder);
        }
    }
}
