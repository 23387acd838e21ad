//! `kind = "file"`: JSON lines for another program to follow, or a maildir for a mail client.

use std::fs::{DirBuilder, File as Handle, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use async_trait::async_trait;
use rustix::fs::{Access, access};

use super::super::{Channel, Message, Receipt, SendError};
use super::email::{Mail, Templates};
use super::http::permanent;
use super::webhook::body;
use crate::config::{FileChannel, FileFormat};

/// So much of a file is looked at, beside what a line of the same length takes.
const TAIL: u64 = 64 * 1024;

pub(super) struct File {
    pub recipient: String,
    pub settings: FileChannel,
}

#[async_trait]
impl Channel for File {
    fn recipients(&self) -> Vec<String> {
        vec![self.recipient.clone()]
    }

    async fn probe(&self) -> Result<Receipt, SendError> {
        let FileChannel { path, format } = &self.settings;
        let shown = path.display();
        // What is there must be writable, or else the folder in which it will be made.
        let target = path.ancestors().find(|path| path.exists()).unwrap_or(path);
        let is_missing = target != path && *format == FileFormat::Jsonl && path.parent() != Some(target);
        let found = if is_missing { Err(rustix::io::Errno::NOENT) } else { access(target, Access::WRITE_OK) };
        found.map(|()| Receipt(format!("{shown} can be written"))).map_err(|error| {
            let hint =
                "make its folder, writable for the user that Caretaker runs as; with systemd also in `ReadWritePaths=`";
            permanent(format!("cannot write {shown}: {error}"), Some(hint))
        })
    }

    async fn send(&self, message: &Message, recipient: &str) -> Result<Receipt, SendError> {
        let path = self.settings.path.clone();
        let shown = path.display().to_string();
        let written = match self.settings.format {
            FileFormat::Jsonl => {
                let line = format!("{}\n", body(None, message)?);
                let id = message.id.clone();
                tokio::task::spawn_blocking(move || append(&path, &line, &id)).await
            }
            FileFormat::Maildir => {
                let address = format!("{recipient}@localhost");
                let mail =
                    Mail::new(message, "Caretaker <caretaker@localhost>", &address, recipient, &Templates::default())?;
                let name = format!("{}.{}.{}", message.at.as_second(), message.id, recipient);
                tokio::task::spawn_blocking(move || drop_mail(&path, &name, &mail.bytes)).await
            }
        };
        match written {
            Ok(Ok(())) => Ok(Receipt(format!("written to {shown}"))),
            // A full disk, a folder that is not mounted: another attempt may find it better.
            Ok(Err(error)) => {
                Err(SendError::Temporary { message: format!("cannot write {shown}: {error}"), retry_after: None })
            }
            Err(error) => Err(SendError::Temporary { message: error.to_string(), retry_after: None }),
        }
    }
}

/// Appends a line and waits until it is on the disk. A process that was killed may have written it before, whole or in
/// part, and not lived to say so: it comes back with the same message, and looks at how the file ends.
fn append(path: &Path, line: &str, id: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    // Where there are no locks, one write in one call still does not mix with others.
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        return Err(std::io::Error::new(ErrorKind::WouldBlock, "another process is writing to it"));
    }
    let length = file.metadata()?.len();
    let tail = tail(&mut file, length, line.len() as u64)?;
    let (whole, torn) = tail.split_at(tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
    if whole.split(|byte| *byte == b'\n').any(|line| is_of(line, id)) {
        return file.sync_data();
    }
    if line.as_bytes().starts_with(torn) {
        file.set_len(length - torn.len() as u64)?;
    } else {
        // Somebody else's, and not for us to remove.
        file.write_all(b"\n")?;
    }
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

/// The end of a file: some lines, and at least one that is as long as the one to come.
fn tail(file: &mut Handle, length: u64, line: u64) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(length.saturating_sub(2 * line + TAIL)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    Ok(tail)
}

/// Whether a line is that of a message.
fn is_of(line: &[u8], id: &str) -> bool {
    memchr::memmem::find(line, id.as_bytes()).is_some()
        && serde_json::from_slice::<serde_json::Value>(line).is_ok_and(|document| document["message"]["id"] == id)
}

/// <https://cr.yp.to/proto/maildir.html>. The name is that of the message: delivered twice it is there once.
fn drop_mail(folder: &Path, name: &str, mail: &[u8]) -> std::io::Result<()> {
    for part in ["tmp", "new", "cur"] {
        DirBuilder::new().recursive(true).mode(0o700).create(folder.join(part))?;
    }
    let unfinished = folder.join("tmp").join(name);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    // In a maildir lines end as everywhere else on the machine.
    file.write_all(String::from_utf8_lossy(mail).replace("\r\n", "\n").as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, folder.join("new").join(name))?;
    Handle::open(folder.join("new"))?.sync_all()
}
